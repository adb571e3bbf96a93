// GET and HEAD: files, parts of files, and listings of folders.
#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/write.hpp>
#include <cerrno>
#include <random>

#include "http_session.hpp"
#include "text.hpp"
#include "transfer.hpp"

namespace wireside::apps {

namespace asio = boost::asio;
namespace http = boost::beast::http;

namespace {

/// Files up to this size go out together with their header.
constexpr std::uint64_t small_file = 64 * 1024;

enum class Comparison { Weak, Strong };

/// True when a list of entity tags ("*" or comma-separated) names `tag`, which is a strong one.
bool names_tag(std::string_view list, std::string_view tag, Comparison comparison) {
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    std::string_view item = trim(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
    if (comparison == Comparison::Weak && item.starts_with("W/")) item.remove_prefix(2);
    if (item == "*" || item == tag) return true;
  }
  return false;
}

/// Up to out.size() octets; fewer only at the end of the file. Negative: errno.
ssize_t read_at(int fd, std::uint8_t* out, std::size_t octets, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < octets) {
    const ssize_t n = ::pread(fd, out + done, octets - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -errno;
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return static_cast<ssize_t>(done);
}

}  // namespace

HttpSession::Flow HttpSession::get(const TargetPath& target) {
  auto file = server_.root().open_file(target.path);
  if (!file) co_return co_await refuse_errno(file.error());
  if (!S_ISDIR(file->facts.st_mode)) {
    if (target.directory) co_return co_await refuse(Status::not_found, "this is a file, not a folder");
    co_return co_await send_file(target.path, *file);
  }
  if (!target.directory && !target.path.empty()) {  // relative links in the page need the slash
    TextReply reply = text_reply(Status::moved_permanently);
    std::string location;
    std::string_view rest = target.path;
    while (!rest.empty()) {
      const auto end = std::min(rest.find('/'), rest.size());
      location += '/' + percent_encode(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    reply.set(http::field::location, location + '/');
    co_return co_await send_text(reply);
  }
  const std::string index = target.path.empty() ? "index.html" : target.path + "/index.html";
  if (auto page = server_.root().open_file(index); page && S_ISREG(page->facts.st_mode)) {
    co_return co_await send_file(index, *page);
  }
  co_return co_await send_listing(target, *file);
}

HttpSession::Flow HttpSession::send_listing(const TargetPath& target, const OpenFile& folder) {
  const auto entries = server_.root().list(target.path, folder);
  if (!entries) co_return co_await refuse_errno(entries.error());
  TextReply reply = text_reply(Status::ok);
  reply.set(http::field::content_type, "text/html; charset=utf-8");
  reply.set(http::field::cache_control, "no-cache");
  reply.body() = listing_page(target.path, *entries);
  co_return co_await send_text(reply);
}

/// RFC 9110 section 13.2.2: If-None-Match decides alone where it is present.
bool HttpSession::not_modified(const OpenFile& file) const {
  const std::string_view tags = field(http::field::if_none_match);
  if (!tags.empty()) return names_tag(tags, entity_tag(file.facts), Comparison::Weak);
  const std::string_view since = field(http::field::if_modified_since);
  const auto time = since.empty() ? std::nullopt : parse_http_date(since);
  return time && file.facts.st_mtim.tv_sec <= *time;
}

bool HttpSession::precondition_failed(const OpenFile* file) const {
  const std::string_view match = field(http::field::if_match);
  const std::string_view unmodified = field(http::field::if_unmodified_since);
  if (!match.empty()) {
    if (file == nullptr || !names_tag(match, entity_tag(file->facts), Comparison::Strong)) return true;
  } else if (!unmodified.empty() && file != nullptr) {
    const auto time = parse_http_date(unmodified);
    if (time && file->facts.st_mtim.tv_sec > *time) return true;
  }
  const std::string_view none = field(http::field::if_none_match);
  const bool writes = parser_->get().method() == http::verb::put;  // GET and HEAD answer 304 instead
  return writes && !none.empty() && file != nullptr && names_tag(none, entity_tag(file->facts), Comparison::Weak);
}

RangeChoice HttpSession::wanted_ranges(const OpenFile& file) const {
  const std::string_view range = field(http::field::range);
  if (range.empty() || is_head()) return WholeFile{};  // section 14.2: Range is defined for GET only
  const std::string_view condition = trim(field(http::field::if_range));
  if (!condition.empty() && condition != entity_tag(file.facts)) {
    const auto time = parse_http_date(condition);
    if (!time || *time != file.facts.st_mtim.tv_sec) return WholeFile{};
  }
  return choose_ranges(range, static_cast<std::uint64_t>(file.facts.st_size));
}

HttpSession::Flow HttpSession::send_file(const std::string& path, const OpenFile& file) {
  if (precondition_failed(&file)) {
    co_return co_await refuse(Status::precondition_failed, "the file is not in the state that the request asks for");
  }
  const auto size = static_cast<std::uint64_t>(file.facts.st_size);
  const bool unchanged = not_modified(file);
  const RangeChoice choice = unchanged ? RangeChoice{WholeFile{}} : wanted_ranges(file);
  const bool outside = std::holds_alternative<Unsatisfiable>(choice);
  TextReply text = text_reply(unchanged ? Status::not_modified : outside ? Status::range_not_satisfiable : Status::ok);
  text.set(http::field::etag, entity_tag(file.facts));
  text.set(http::field::last_modified, http_date(file.facts.st_mtim.tv_sec));
  text.set(http::field::accept_ranges, "bytes");
  if (outside) text.set(http::field::content_range, fmt::format("bytes */{}", size));
  if (unchanged || outside) co_return co_await send_text(text);

  HeaderReply reply{std::move(text.base())};
  std::vector<ByteRange> ranges;
  if (const auto* wanted = std::get_if<std::vector<ByteRange>>(&choice)) ranges = *wanted;
  const auto pieces = plan_body(reply, ranges, std::string{media_type(path)}, size);
  if (ranges.empty() && size <= small_file && !is_head()) co_return co_await send_whole_small(reply, file, size);
  co_return co_await send_pieces(reply, file, pieces);
}

/// Sets status, type and length of the response, and gives its body in order.
std::vector<HttpSession::Piece> HttpSession::plan_body(HeaderReply& reply, const std::vector<ByteRange>& ranges,
                                                       const std::string& type, std::uint64_t size) const {
  std::vector<Piece> pieces;
  if (ranges.empty()) {
    pieces.push_back({"", 0, size});
    reply.set(http::field::content_type, type);
  } else if (ranges.size() == 1) {
    pieces.push_back({"", ranges[0].first, ranges[0].length()});
    reply.result(Status::partial_content);
    reply.set(http::field::content_type, type);
    reply.set(http::field::content_range, fmt::format("bytes {}-{}/{}", ranges[0].first, ranges[0].last, size));
  } else {
    std::random_device random;
    const std::string boundary = fmt::format("wireside-{:08x}{:08x}", random(), random());
    for (const ByteRange& r : ranges) {
      pieces.push_back({fmt::format("\r\n--{}\r\nContent-Type: {}\r\nContent-Range: bytes {}-{}/{}\r\n\r\n", boundary,
                                    type, r.first, r.last, size),
                        r.first, r.length()});
    }
    pieces.push_back({fmt::format("\r\n--{}--\r\n", boundary), 0, 0});
    reply.result(Status::partial_content);
    reply.set(http::field::content_type, "multipart/byteranges; boundary=" + boundary);
  }
  std::uint64_t total = 0;
  for (const Piece& p : pieces) total += p.text.size() + p.length;
  reply.content_length(total);
  reply.keep_alive(keep_alive_);
  return pieces;
}

HttpSession::Flow HttpSession::send_whole_small(const HeaderReply& header, const OpenFile& file, std::uint64_t size) {
  TextReply reply{header.base()};
  reply.body().resize(size);
  const ssize_t n = read_at(file.descriptor.get(), reinterpret_cast<std::uint8_t*>(reply.body().data()), size, 0);
  if (n < 0) co_return co_await refuse_errno(static_cast<int>(-n));
  reply.body().resize(static_cast<std::size_t>(n));  // the file may have shrunk meanwhile
  co_return co_await send_text(reply);
}

HttpSession::Flow HttpSession::send_pieces(HeaderReply& reply, const OpenFile& file, const std::vector<Piece>& pieces) {
  const auto token = asio::as_tuple(asio::use_awaitable);
  http::response_serializer<http::empty_body> serializer{reply};
  const auto [header_error, header_octets] = co_await http::async_write_header(socket_, serializer, token);
  bool good = !header_error;
  std::uint64_t sent = 0;
  for (std::size_t i = 0; good && !is_head() && i < pieces.size(); ++i) {
    const Piece& piece = pieces[i];
    if (!piece.text.empty()) {
      const auto [ec, n] = co_await asio::async_write(socket_, asio::buffer(piece.text), token);
      good = !ec;
    }
    if (good) good = co_await send_octets(file, piece.offset, piece.length);
    if (good) sent += piece.text.size() + piece.length;
  }
  log(reply.result(), sent);
  if (!good) {
    // The length is promised already: only a reset tells the peer that the rest will not come.
    if (!header_error) abort();
    peer_done_ = true;
  }
  co_return good&& keep_alive_;
}

asio::awaitable<bool> HttpSession::send_octets(const OpenFile& file, std::uint64_t offset, std::uint64_t length) {
  BufferPool& pool = server_.runtime().stack().buffers();
  while (length > 0) {
    const std::size_t octets = std::min<std::uint64_t>(length, block_octets);
    Slice block = pool.allocate_slice(octets);
    const ssize_t n = read_at(file.descriptor.get(), block.mutable_data(), octets, offset);
    if (n != static_cast<ssize_t>(octets)) co_return false;
    const auto [ec, sent] = co_await socket_.async_send_slice(std::move(block), asio::as_tuple(asio::use_awaitable));
    if (ec) co_return false;
    expect_progress(server_.options().idle_timeout);
    offset += octets;
    length -= octets;
  }
  co_return true;
}

}  // namespace wireside::apps
