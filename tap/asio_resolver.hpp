// net::resolver: asynchronous name lookups in Asio's manner, over the runtime's own UDP and TCP.
#pragma once

#include <boost/asio/async_result.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "asio_operation.hpp"
#include "name_service.hpp"
#include "runtime.hpp"

namespace wireside::net {
namespace detail {

/// Keeps the handler until the outcome is there; `convert` makes the handler's second argument of the answer.
template <class Handler, class Convert>
class LookupOperationOf final : public LookupOperation {
 public:
  LookupOperationOf(Handler handler, Convert convert, const boost::asio::any_io_executor& executor)
      : handler_{std::move(handler)},
        convert_{std::move(convert)},
        work_{boost::asio::get_associated_executor(handler_, executor)} {}

  void finish(error_code ec, dns::Answer answer) override {
    auto slot = boost::asio::get_associated_cancellation_slot(handler_);
    if (slot.is_connected()) slot.clear();
    boost::asio::post(work_.get_executor(),
                      Completion{std::move(handler_), std::tuple{ec, convert_(std::move(answer))}});
  }

 private:
  Handler handler_;
  Convert convert_;
  boost::asio::executor_work_guard<boost::asio::associated_executor_t<Handler, boost::asio::any_io_executor>> work_;
};

}  // namespace detail

/// Looks names up with the cache, servers and search domains of its Runtime. Any number of lookups may wait at once;
/// the destructor ends this object's with operation_aborted, and so does cancellation of one of any kind.
///
/// Errors are dns::Failure values of resolver_category(), whose messages say what happened: a name that is none
/// (equivalent to errc::invalid_argument), one that does not exist or has no address, servers that fail or do not
/// answer (errc::timed_out).
class resolver {
 public:
  using executor_type = boost::asio::any_io_executor;
  using results_type = std::vector<Endpoint>;

  explicit resolver(Runtime& runtime) : resolver(runtime, runtime.context().get_executor()) {}
  resolver(Runtime& runtime, executor_type executor)
      : runtime_{&runtime}, lifetime_{runtime.lifetime()}, executor_{std::move(executor)} {}
  ~resolver() { cancel(); }
  resolver(resolver&&) noexcept = default;
  resolver& operator=(resolver&&) = delete;

  [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }

  /// Ends all lookups of this object with operation_aborted.
  void cancel() {
    if (identity_ && !lifetime_.expired()) runtime_->names().cancel_all(identity_.get());
  }

  /// The addresses of a host name (or dotted quad), each with the port. Signature: void(error_code, results_type).
  template <class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_resolve(std::string name, Port port, Token&& token = Token()) {
    return start<void(error_code, results_type)>(
        std::move(name),
        [port](const dns::Answer& answer) {
          results_type out;
          for (const auto& record : answer.addresses) out.push_back({record.address, port});
          return out;
        },
        token);
  }

  /// All that is known of the outcome: aliases, TTLs, the server. Filled as far as it came when there is an error.
  /// Signature: void(error_code, dns::Answer).
  template <class Token = boost::asio::default_completion_token_t<executor_type>>
  auto async_lookup(std::string name, Token&& token = Token()) {
    return start<void(error_code, dns::Answer)>(
        std::move(name), [](dns::Answer answer) { return answer; }, token);
  }

 private:
  template <class Signature, class Convert, class Token>
  auto start(std::string name, Convert convert, Token& token) {
    return boost::asio::async_initiate<Token, Signature>(
        [runtime = runtime_, lifetime = lifetime_, executor = executor_, owner = identity_.get()](
            auto&& handler, const std::string& text, Convert how) {
          using Handler = std::decay_t<decltype(handler)>;
          auto slot = boost::asio::get_associated_cancellation_slot(handler);
          auto operation = std::make_unique<detail::LookupOperationOf<Handler, Convert>>(
              std::forward<decltype(handler)>(handler), std::move(how), executor);
          if (lifetime.expired()) return operation->finish(boost::asio::error::operation_aborted, {});
          NameService& names = runtime->names();
          const auto query = names.start(text, owner, std::move(operation));
          if (!query.is_valid() || !slot.is_connected()) return;
          slot.assign([service = names.weak(), query](boost::asio::cancellation_type type) {
            using enum boost::asio::cancellation_type;
            if ((type & (terminal | partial | total)) != none) NameService::cancel(service, query);
          });
        },
        token, std::move(name), std::move(convert));
  }

  Runtime* runtime_;
  std::weak_ptr<const void> lifetime_;
  executor_type executor_;
  std::unique_ptr<char> identity_ = std::make_unique<char>();  ///< what this object's lookups are known by
};

}  // namespace wireside::net
