// `wireside get`: fetches a URL over HTTP.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cstring>
#include <memory>
#include <vector>

#include "asio_sockets.hpp"
#include "command.hpp"
#include "host.hpp"
#include "icmp_text.hpp"
#include "local_stream.hpp"
#include "name_lookup.hpp"
#include "network_remedy.hpp"
#include "option_checks.hpp"
#include "progress.hpp"
#include "text.hpp"
#include "transfer.hpp"
#include "url.hpp"

namespace wireside::apps {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

struct GetOptions {
  CommonOptions common;
  std::string url;
  std::string output;
  unsigned timeout = 30;
  unsigned max_redirects = 10;
  bool quiet = false;
};

/// Why a transfer ended; empty where it went well.
using Failure = std::string;

class Get {
 public:
  Get(const GetOptions& options, Surroundings around)
      : options_{options}, around_{around}, socket_{around.runtime()}, timer_{around.runtime().context()} {}

  asio::awaitable<int> run(HttpUrl url) {
    for (unsigned redirects = 0;; ++redirects) {
      const Failure failure = co_await fetch(url);
      if (!failure.empty()) {
        progress_.clear();
        complain(fmt::format("http://{}{}: {}", url.host, url.target, failure));
        co_return exit_failure;
      }
      if (location_.empty()) co_return exit_ok;
      const auto next = resolve_location(url, location_);
      if (!next || redirects >= options_.max_redirects) {
        complain(!next ? next.error() : fmt::format("more than {} redirects", options_.max_redirects));
        co_return exit_failure;
      }
      url = *next;
      if (options_.common.verbose) complain(fmt::format("redirected to http://{}{}", url.host, url.target));
    }
  }

 private:
  /// One request. Afterwards location_ holds where to go on, if the server says so.
  asio::awaitable<Failure> fetch(const HttpUrl& url) {
    location_.clear();
    timed_out_ = false;
    expect_progress();
    watch();
    const Failure failure = co_await exchange(url);
    timer_.cancel();
    socket_.close();
    co_return failure;
  }

  asio::awaitable<Failure> exchange(const HttpUrl& url) {
    const auto address = co_await look_up(around_.runtime(), url.server);
    if (!address) co_return around_.interrupted() ? "interrupted" : address.error();
    expect_progress();
    const Endpoint server{*address, url.port};
    server_ = server.address;
    if (const auto ec = prepare()) co_return ec.message();
    if (const auto [ec] = co_await socket_.async_connect(server, tuple_token); ec) co_return reason(ec);
    http::request<http::empty_body> request{http::verb::get, url.target, 11};
    request.set(http::field::host, url.host);
    request.set(http::field::user_agent, "wireside");
    request.set(http::field::accept, "*/*");
    request.set(http::field::connection, "close");
    if (const auto [ec, n] = co_await http::async_write(socket_, request, tuple_token); ec) co_return reason(ec);
    boost::beast::flat_buffer buffer;
    http::response_parser<http::buffer_body> parser;
    parser.body_limit(boost::none);
    do {
      const auto [ec, n] = co_await http::async_read_header(socket_, buffer, parser, tuple_token);
      if (ec) co_return reason(ec);
    } while (parser.get().result_int() / 100 == 1 && restart(parser));
    const auto& response = parser.get();
    if (is_redirect(response.result_int())) {
      location_ = std::string{response[http::field::location]};
      co_return location_.empty() ? "the server redirects without saying where to" : Failure{};
    }
    if (response.result_int() / 100 != 2) {
      co_return fmt::format("the server answered {} {}", response.result_int(),
                            printable({response.reason().data(), response.reason().size()}));
    }
    auto file = open_output();
    if (!file) co_return fmt::format("{}: {}", options_.output, std::strerror(file.error()));
    co_return co_await receive_body(parser, buffer, *file);
  }

  /// What routers say of the way to the server is kept, to be told where the transfer fails.
  net::error_code prepare() {
    if (const auto ec = socket_.open()) return ec;
    auto options = socket_.options().value_or(tcp::ConnectionOptions{});
    options.report_errors = true;
    return socket_.set_options(options);
  }

  static bool is_redirect(unsigned status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
  }

  /// An interim response was read; the real one follows.
  static bool restart(http::response_parser<http::buffer_body>& parser) {
    std::destroy_at(&parser);
    std::construct_at(&parser);
    parser.body_limit(boost::none);
    return true;
  }

  std::expected<LocalStream, int> open_output() {
    auto& context = around_.runtime().context();
    if (options_.output.empty() || options_.output == "-") return LocalStream::standard_output(context);
    return LocalStream::create_file(context, options_.output);
  }

  asio::awaitable<Failure> receive_body(http::response_parser<http::buffer_body>& parser,
                                        boost::beast::flat_buffer& buffer, LocalStream& file) {
    const auto length = parser.content_length();
    progress_.start(length ? std::optional<std::uint64_t>{*length} : std::nullopt,
                    !options_.quiet && ::isatty(STDERR_FILENO) != 0);
    Failure failure;
    if (length) {
      failure = co_await receive_known_length(buffer, *length, file);
    } else {
      failure = co_await receive_parsed(parser, buffer, file);
    }
    if (failure.empty()) progress_.finish(options_.common.verbose && !options_.quiet);
    co_return failure;
  }

  /// Straight from the received frames to the file, without a copy between.
  asio::awaitable<Failure> receive_known_length(boost::beast::flat_buffer& buffer, std::uint64_t length,
                                                LocalStream& file) {
    const std::size_t early = std::min<std::uint64_t>(length, buffer.size());
    Failure failure = co_await store(file, std::vector(1, asio::const_buffer{buffer.data().data(), early}), early);
    length -= early;
    SliceList slices;
    while (failure.empty() && length > 0) {
      const std::size_t most = std::min<std::uint64_t>(length, turn_octets);
      const auto [ec, octets] = co_await socket_.async_receive_slices(slices, most, tuple_token);
      if (ec == asio::error::eof) co_return fmt::format("the connection ended {} octets too early", length);
      if (ec) co_return reason(ec);
      failure = co_await store(file, buffers_of(slices), octets);
      length -= octets;
    }
    co_return failure;
  }

  /// Chunked, or ended by the end of the connection.
  asio::awaitable<Failure> receive_parsed(http::response_parser<http::buffer_body>& parser,
                                          boost::beast::flat_buffer& buffer, LocalStream& file) {
    std::vector<char> block(block_octets);
    while (!parser.is_done()) {
      auto& body = parser.get().body();
      body.data = block.data();
      body.size = block.size();
      auto [ec, n] = co_await http::async_read(socket_, buffer, parser, tuple_token);
      if (ec && ec != http::error::need_buffer) co_return reason(ec);
      const std::size_t octets = block.size() - body.size;
      const Failure failure = co_await store(file, std::vector(1, asio::const_buffer{block.data(), octets}), octets);
      if (!failure.empty()) co_return failure;
    }
    co_return Failure{};
  }

  asio::awaitable<Failure> store(LocalStream& file, std::vector<asio::const_buffer> buffers, std::size_t octets) {
    expect_progress();
    if (octets == 0) co_return Failure{};
    const auto [ec, n] = co_await asio::async_write(file.descriptor(), buffers, tuple_token);
    expect_progress();  // a slow reader of our output is not the server's fault
    if (ec) co_return fmt::format("writing {}: {}", options_.output.empty() ? "-" : options_.output, ec.message());
    progress_.add(octets);
    co_return Failure{};
  }

  /// Why the server could not be reached, as the network said it; empty where it said nothing.
  Failure unreachable() {
    std::optional<ErrorReport> last;
    while (auto report = socket_.take_error_report()) last = std::move(report);
    if (!last) return {};
    return fmt::format("{} cannot be reached: {}", server_.to_string(), icmp_error_phrase(*last));
  }

  Failure reason(net::error_code ec) {
    if (around_.interrupted()) return "interrupted";
    const bool network = timed_out_ || ec == asio::error::host_unreachable || ec == asio::error::network_unreachable ||
                         ec == asio::error::timed_out || ec == asio::error::connection_refused;
    if (auto why = network ? unreachable() : Failure{}; !why.empty()) return why;
    if (timed_out_) return fmt::format("nothing came for {} seconds", options_.timeout);
    if (ec == http::error::end_of_stream || ec == http::error::partial_message || ec == asio::error::eof) {
      return "the server closed the connection before its response was complete";
    }
    return ec.message() + remedy_for(ec);
  }

  void expect_progress() { deadline_ = std::chrono::steady_clock::now() + std::chrono::seconds{options_.timeout}; }

  void watch() {
    timer_.expires_at(deadline_);
    timer_.async_wait([this](net::error_code ec) {
      if (ec) return;
      if (std::chrono::steady_clock::now() < deadline_) return watch();
      timed_out_ = true;
      socket_.cancel();
    });
  }

  const GetOptions& options_;
  Surroundings around_;
  net::tcp_socket socket_;
  asio::steady_timer timer_;
  std::chrono::steady_clock::time_point deadline_;
  bool timed_out_ = false;
  IpAddress server_;
  std::string location_;
  Progress progress_;
};

asio::awaitable<int> get(const GetOptions& options, HttpUrl url, Surroundings around) {
  Get run{options, around};
  co_return co_await run.run(std::move(url));
}

int run_get(const GetOptions& options) {
  (void)options.common.config();
  const auto url = parse_http_url(options.url);
  if (!url) throw UsageError{url.error(), "wireside get --ip 10.0.0.2/24 http://10.0.0.1/file"};
  return run_on_host(options.common, [&](Surroundings around) { return get(options, *url, around); });
}

}  // namespace

void register_get(CLI::App& app, Action& chosen) {
  auto options = std::make_shared<GetOptions>();
  CLI::App* command = app.add_subcommand("get", "fetch a URL over HTTP");
  command->add_option("url", options->url, "http:// URL with an IPv4 address or a name")->required()->type_name("URL");
  command->add_option("-o,--output", options->output, "write to this file (default: standard output)")
      ->type_name("FILE");
  command->add_option("--timeout", options->timeout, "give up when nothing comes for this many seconds")
      ->type_name("S")
      ->check(in_range(1U, 86400U))
      ->capture_default_str();
  command->add_option("--max-redirects", options->max_redirects, "redirects to follow at most")
      ->type_name("N")
      ->check(in_range(0U, 100U))
      ->capture_default_str();
  command->add_flag("-q,--quiet", options->quiet, "no progress");
  add_common_options(*command, options->common);
  command->callback([options, &chosen] { chosen = [options] { return run_get(*options); }; });
}

}  // namespace wireside::apps
