#include "agent_json.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <cmath>

namespace wireside::agent {

namespace json = boost::json;

Refusal refusal(Error error, json::object details) {
  return {std::string{errno_name(error)}, std::string{describe(error)}, std::move(details)};
}
json::value milliseconds(Duration d) {
  const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(d);
  if (whole == d) return static_cast<std::int64_t>(whole.count());
  return std::chrono::duration<double, std::milli>(d).count();
}

Refusal invalid(std::string message) { return {"EINVAL", std::move(message), {}}; }

namespace {

std::string quoted(std::string_view name) { return "\"" + std::string{name} + "\""; }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

bool Request::has(std::string_view name) const { return fields_.contains(name); }
const json::value* Request::find(std::string_view name) const { return fields_.if_contains(name); }

std::uint64_t Request::number(std::string_view name, std::uint64_t largest) const {
  const json::value* value = find(name);
  if (value == nullptr) throw invalid("the field " + quoted(name) + " is missing");
  boost::system::error_code bad;
  const auto number = value->to_number<std::uint64_t>(bad);
  if (bad || number > largest) {
    throw invalid(quoted(name) + " must be a whole number from 0 to " + std::to_string(largest) + ", not " +
                  json::serialize(*value));
  }
  return number;
}

std::uint64_t Request::number_or(std::string_view name, std::uint64_t largest, std::uint64_t otherwise) const {
  return has(name) ? number(name, largest) : otherwise;
}

bool Request::flag_or(std::string_view name, bool otherwise) const {
  const json::value* value = find(name);
  if (value == nullptr) return otherwise;
  if (!value->is_bool()) throw invalid(quoted(name) + " must be true or false");
  return value->get_bool();
}

std::string Request::text(std::string_view name) const {
  const json::value* value = find(name);
  if (value == nullptr) throw invalid("the field " + quoted(name) + " is missing");
  if (!value->is_string()) throw invalid(quoted(name) + " must be a string");
  return std::string{value->get_string().data(), value->get_string().size()};
}

std::string Request::text_or(std::string_view name, std::string_view otherwise) const {
  return has(name) ? text(name) : std::string{otherwise};
}

std::optional<Duration> Request::timeout() const {
  if (!has("timeout_ms")) return std::nullopt;
  constexpr std::uint64_t a_year_ms = 31'536'000'000;
  return std::chrono::milliseconds{number("timeout_ms", a_year_ms)};
}

Endpoint Request::endpoint() const {
  const auto text = text_or("address", "0.0.0.0");
  const auto address = Ipv4Address::parse(text);
  if (!address) throw invalid("\"address\" must be a dotted quad, not \"" + text + "\"");
  return {IpAddress{*address}, Port{static_cast<std::uint16_t>(number_or("port", 65535, 0))}};
}

Endpoint Request::peer(bool with_port) const {
  (void)text("address");
  if (with_port && number("port", 65535) == 0) throw invalid("\"port\" must be a whole number from 1 to 65535, not 0");
  return endpoint();
}

void Request::allow_only(std::string_view allowed) const {
  for (const auto& field : fields_) {
    const std::string_view name{field.key().data(), field.key().size()};
    if (name == "id" || name == "op") continue;
    bool known = false;
    for (std::size_t at = 0; at < allowed.size();) {
      const auto end = std::min(allowed.find(' ', at), allowed.size());
      known = known || allowed.substr(at, end - at) == name;
      at = end + 1;
    }
    if (!known) {
      throw invalid("this operation has no field " + quoted(name) +
                    "; it takes: " + (allowed.empty() ? std::string{"none"} : std::string{allowed}));
    }
  }
}

Payload::Payload(const Request& request) {
  constexpr std::uint64_t largest = std::uint64_t{1} << 50;
  const int given =
      int{request.has("data")} + int{request.has("hex")} + int{request.has("zeros")} + int{request.has("pattern")};
  if (request.has("offset") && !request.has("pattern")) throw invalid("\"offset\" goes with \"pattern\" only");
  if (given != 1) throw invalid("give the octets with exactly one of \"data\", \"hex\", \"zeros\", \"pattern\"");
  if (request.has("data")) octets_ = request.text("data");
  if (request.has("hex")) octets_ = from_hex(request.text("hex"));
  size_ = octets_.size();
  if (request.has("zeros")) {
    kind_ = Kind::Zeros;
    size_ = request.number("zeros", largest);
  }
  if (request.has("pattern")) {
    kind_ = Kind::Pattern;
    size_ = request.number("pattern", largest);
    offset_ = request.number_or("offset", largest, 0);
  }
}

bool Payload::is_in(const Request& request) {
  return request.has("data") || request.has("hex") || request.has("zeros") || request.has("pattern");
}

ByteView Payload::chunk(std::uint64_t from, MutableByteView scratch) const {
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(size_ - from, scratch.size()));
  if (kind_ == Kind::Octets) {
    return {reinterpret_cast<const std::uint8_t*>(octets_.data()) + from, static_cast<std::size_t>(size_ - from)};
  }
  for (std::size_t i = 0; i < count; ++i) {
    scratch[i] = kind_ == Kind::Zeros ? std::uint8_t{0} : static_cast<std::uint8_t>((offset_ + from + i) % 251);
  }
  return scratch.first(count);
}

struct Collector::Digest {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  Digest() { EVP_DigestInit_ex(context, EVP_sha256(), nullptr); }
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;
  ~Digest() { EVP_MD_CTX_free(context); }
};

Collector::Collector(const Request& request) : form_{request.text_or("as", "auto")} {
  if (form_ == "digest") {
    digest_ = std::make_unique<Digest>();
  } else if (form_ != "auto" && form_ != "data" && form_ != "hex") {
    throw invalid("\"as\" must be auto, data, hex or digest");
  }
}
Collector::~Collector() = default;

void Collector::add(ByteView octets) {
  length_ += octets.size();
  if (digest_) {
    EVP_DigestUpdate(digest_->context, octets.data(), octets.size());
  } else {
    octets_.append(reinterpret_cast<const char*>(octets.data()), octets.size());
  }
}

void Collector::put_into(json::object& answer) {
  answer["length"] = length_;
  if (digest_) {
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> value{};
    unsigned size = 0;
    EVP_DigestFinal_ex(digest_->context, value.data(), &size);
    answer["sha256"] = to_hex({value.data(), size});
  } else if (form_ == "hex" || !is_utf8(octets_)) {  // JSON strings hold text only, so "data" may have to give way
    answer["hex"] = to_hex({reinterpret_cast<const std::uint8_t*>(octets_.data()), octets_.size()});
  } else {
    answer["data"] = octets_;
  }
}

std::string from_hex(std::string_view text) {
  std::string octets;
  octets.reserve(text.size() / 2);
  int high = -1;
  for (const char c : text) {
    if (c == ' ' || c == ':') continue;
    const int digit = hex_digit(c);
    if (digit < 0) throw invalid("\"hex\" holds '" + std::string{c} + "', which is no hexadecimal digit");
    if (high < 0) {
      high = digit;
    } else {
      octets.push_back(static_cast<char>((high << 4) | digit));
      high = -1;
    }
  }
  if (high >= 0) throw invalid("\"hex\" has an odd number of digits");
  return octets;
}

std::string to_hex(ByteView octets) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(octets.size() * 2);
  for (const std::uint8_t o : octets) {
    text.push_back(digits[o >> 4]);
    text.push_back(digits[o & 15]);
  }
  return text;
}

bool can_be_written(const json::value& value) {
  if (const double* number = value.if_double()) return std::isfinite(*number);
  if (const json::array* array = value.if_array()) return std::ranges::all_of(*array, can_be_written);
  const json::object* object = value.if_object();
  return object == nullptr ||
         std::ranges::all_of(*object, [](const auto& field) { return can_be_written(field.value()); });
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t more = lead < 0x80 ? 0 : lead >= 0xc2 && lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || i + more >= text.size()) return false;
    for (std::size_t k = 1; k <= more; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0U) != 0x80U) return false;
    }
    const auto second = more > 0 ? static_cast<unsigned char>(text[i + 1]) : 0U;
    const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
    const bool outside = (lead == 0xed && second > 0x9f) || (lead == 0xf4 && second > 0x8f);  // surrogates, > U+10FFFF
    if (overlong || outside) return false;
    i += more + 1;
  }
  return true;
}

}  // namespace wireside::agent
