// One HTTP connection: requests one after the other, each read, answered and logged.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "asio_sockets.hpp"
#include "http_range.hpp"
#include "http_server.hpp"

namespace wireside::apps {

struct HttpSessionTag;

class HttpSession : public ListNode<HttpSessionTag>, public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(HttpServer& server, net::tcp_socket socket);

  /// Serves until the connection is to be closed, and closes it.
  static boost::asio::awaitable<void> run(std::shared_ptr<HttpSession> self);
  /// Ends the wait for a next request.
  void stop_if_idle();
  void abort();

 private:
  using Flow = boost::asio::awaitable<bool>;  ///< true: the connection can carry another request
  using Status = boost::beast::http::status;
  using TextReply = boost::beast::http::response<boost::beast::http::string_body>;
  using HeaderReply = boost::beast::http::response<boost::beast::http::empty_body>;

  /// A stretch of a response body: text, then octets of the file.
  struct Piece {
    std::string text;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
  };

  // http_session.cpp: reading requests, plain replies, the connection's end
  Flow serve_request();
  Flow answer_unreadable(net::error_code ec);
  Flow dispatch();
  [[nodiscard]] std::optional<std::pair<Status, std::string>> objection() const;
  Flow options_reply();
  Flow refuse(Status status, std::string_view explanation);
  Flow refuse_errno(int error);
  TextReply text_reply(Status status) const;
  void complete_header(boost::beast::http::fields& fields) const;
  Flow send_text(TextReply& reply);
  boost::asio::awaitable<void> leave();
  void expect_progress(std::chrono::seconds within);
  void watch_deadline();
  void log(Status status, std::uint64_t octets);
  [[nodiscard]] bool is_head() const;
  [[nodiscard]] std::string_view field(boost::beast::http::field name) const;

  // http_download.cpp: GET and HEAD
  Flow get(const TargetPath& target);
  Flow send_listing(const TargetPath& target, const OpenFile& folder);
  Flow send_file(const std::string& path, const OpenFile& file);
  [[nodiscard]] bool not_modified(const OpenFile& file) const;
  /// RFC 9110 section 13.2.2: the conditions that end in 412; `file` is null where there is none of that name.
  [[nodiscard]] bool precondition_failed(const OpenFile* file) const;
  [[nodiscard]] RangeChoice wanted_ranges(const OpenFile& file) const;
  std::vector<Piece> plan_body(HeaderReply& reply, const std::vector<ByteRange>& ranges, const std::string& type,
                               std::uint64_t size) const;
  Flow send_pieces(HeaderReply& reply, const OpenFile& file, const std::vector<Piece>& pieces);
  Flow send_whole_small(const HeaderReply& reply, const OpenFile& file, std::uint64_t size);
  boost::asio::awaitable<bool> send_octets(const OpenFile& file, std::uint64_t offset, std::uint64_t length);

  // http_upload.cpp: PUT
  Flow put(const TargetPath& target);
  [[nodiscard]] std::optional<std::pair<Status, std::string>> upload_objection(const TargetPath& target) const;
  boost::asio::awaitable<bool> send_continue();
  /// An errno for a file that cannot be written, 0 when the body was received, -1 when the connection is lost,
  /// EFBIG beyond the limit.
  boost::asio::awaitable<int> receive_body(Upload& upload);
  boost::asio::awaitable<int> receive_known_length(Upload& upload, std::uint64_t length);
  boost::asio::awaitable<int> receive_chunked(Upload& upload);

  HttpServer& server_;
  net::tcp_socket socket_;
  Endpoint peer_;
  boost::asio::steady_timer timer_;
  std::chrono::steady_clock::time_point deadline_;
  bool timed_out_ = false;
  bool idle_ = true;
  bool keep_alive_ = true;
  bool peer_done_ = false;  ///< EOF or a failed connection: nothing to wait for at the end
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::buffer_body>> parser_;
  std::chrono::steady_clock::time_point started_;
};

}  // namespace wireside::apps
