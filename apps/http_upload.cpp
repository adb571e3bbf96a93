// PUT: a file is written beside its final place and moved there when it is complete.
#include <fmt/format.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <cerrno>

#include "http_session.hpp"
#include "text.hpp"
#include "transfer.hpp"

namespace wireside::apps {

namespace asio = boost::asio;
namespace http = boost::beast::http;

namespace {
constexpr int connection_lost = -1;
}  // namespace

std::optional<std::pair<HttpSession::Status, std::string>> HttpSession::upload_objection(
    const TargetPath& target) const {
  if (target.path.empty() || target.directory) {
    return std::pair{Status::conflict, "a folder cannot be written; name a file"};
  }
  // RFC 9110 section 14.5: a part must not be taken for the whole.
  if (!field(http::field::content_range).empty()) {
    return std::pair{Status::bad_request, "parts of files cannot be written"};
  }
  const auto length = parser_->content_length();
  if (!length && !parser_->chunked()) {
    return std::pair{Status::length_required, "the request says neither its length nor that it is chunked"};
  }
  if (length && *length > server_.options().upload_limit) {
    return std::pair{Status::payload_too_large,
                     fmt::format("files up to {} are taken", human_size(server_.options().upload_limit))};
  }
  return std::nullopt;
}

HttpSession::Flow HttpSession::put(const TargetPath& target) {
  const bool keep_afterwards = std::exchange(keep_alive_, false);  // until the body is read in full
  if (const auto wrong = upload_objection(target)) co_return co_await refuse(wrong->first, wrong->second);
  const auto present = server_.root().open_file(target.path);
  if (precondition_failed(present ? &*present : nullptr)) {
    co_return co_await refuse(Status::precondition_failed, "the file is not in the state that the request asks for");
  }
  auto upload = server_.root().begin_upload(target.path);
  if (!upload) {
    const int error = upload.error();
    if (error == ENOENT || error == ENOTDIR) {
      co_return co_await refuse(Status::conflict, "the folder of this file does not exist");
    }
    if (error == EISDIR) co_return co_await refuse(Status::conflict, "there is a folder of this name");
    co_return co_await refuse_errno(error);
  }
  if (!co_await send_continue()) co_return false;
  const int failure = co_await receive_body(*upload);
  if (failure == connection_lost) {
    log(Status::bad_request, 0);
    peer_done_ = true;
    co_return false;
  }
  if (failure == EFBIG) co_return co_await refuse(Status::payload_too_large, "the file is larger than is taken here");
  if (failure == EBADMSG) co_return co_await refuse(Status::bad_request, "the body's chunks are malformed");
  if (failure != 0) co_return co_await refuse_errno(failure);
  const auto placed = upload->commit();
  keep_alive_ = keep_afterwards;
  if (!placed) {
    if (placed.error() == EISDIR) co_return co_await refuse(Status::conflict, "there is a folder of this name");
    co_return co_await refuse_errno(placed.error());
  }
  TextReply reply = text_reply(*placed ? Status::created : Status::no_content);
  if (*placed) reply.set(http::field::location, parser_->get().target());
  co_return co_await send_text(reply);
}

/// The interim response, for a client that waits for it.
asio::awaitable<bool> HttpSession::send_continue() {
  const auto& request = parser_->get();
  if (request.version() < 11 || field(http::field::expect).empty() || buffer_.size() > 0) co_return true;
  static constexpr std::string_view text = "HTTP/1.1 100 Continue\r\n\r\n";
  const auto [ec, n] =
      co_await asio::async_write(socket_, asio::buffer(text.data(), text.size()), asio::as_tuple(asio::use_awaitable));
  if (ec) peer_done_ = true;
  co_return !ec;
}

asio::awaitable<int> HttpSession::receive_body(Upload& upload) {
  if (const auto length = parser_->content_length()) co_return co_await receive_known_length(upload, *length);
  co_return co_await receive_chunked(upload);
}

/// Straight from the received frames to the file, without a copy between.
asio::awaitable<int> HttpSession::receive_known_length(Upload& upload, std::uint64_t length) {
  const std::size_t early = std::min<std::uint64_t>(length, buffer_.size());
  if (const auto written = upload.write(buffer_.data().data(), early); !written) co_return written.error();
  buffer_.consume(early);
  length -= early;
  SliceList slices;
  while (length > 0) {
    const std::size_t most = std::min<std::uint64_t>(length, turn_octets);
    const auto [ec, octets] = co_await socket_.async_receive_slices(slices, most, asio::as_tuple(asio::use_awaitable));
    if (ec) co_return connection_lost;
    if (const auto written = upload.write(slices); !written) co_return written.error();
    length -= octets;
    expect_progress(server_.options().idle_timeout);
  }
  co_return 0;
}

asio::awaitable<int> HttpSession::receive_chunked(Upload& upload) {
  std::vector<char> block(block_octets);
  std::uint64_t total = 0;
  while (!parser_->is_done()) {
    auto& body = parser_->get().body();
    body.data = block.data();
    body.size = block.size();
    auto [ec, n] = co_await http::async_read(socket_, buffer_, *parser_, asio::as_tuple(asio::use_awaitable));
    if (ec == http::error::need_buffer) ec = {};
    if (ec) {
      const bool malformed = ec.category() == make_error_code(http::error::bad_chunk).category() &&
                             ec != http::error::partial_message && ec != http::error::end_of_stream;
      co_return malformed ? EBADMSG : connection_lost;
    }
    const std::size_t octets = block.size() - body.size;
    total += octets;
    if (total > server_.options().upload_limit) co_return EFBIG;
    if (const auto written = upload.write(block.data(), octets); !written) co_return written.error();
    expect_progress(server_.options().idle_timeout);
  }
  co_return 0;
}

}  // namespace wireside::apps
