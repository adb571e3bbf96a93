// Walks over a frame and notes each field; what every protocol's dissector works with.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

#include "dissect/dissection.hpp"

namespace wireside::dissect {

/// The frame ends inside of a field.
class CutOff : public std::exception {};

class Builder {
 public:
  /// The field that was just noted, and its number.
  class Note {
   public:
    Note(Builder& builder, std::uint64_t number) : builder_{&builder}, number_{number} {}
    explicit(false) operator std::uint64_t() const { return number_; }
    Note& shown_as(std::string value) {
      field().value = std::move(value);
      return *this;
    }
    /// "0x0800", in as many digits as the field has.
    Note& in_hex();
    template <class... T>
    Note& means(Words format, const T&... values) {
      field().meaning = builder_->say(format, values...);
      return *this;
    }
    Note& rule(Words text) {
      field().rule = builder_->say(text);
      return *this;
    }
    Note& step(std::string text) {
      field().steps.push_back(std::move(text));
      return *this;
    }
    Note& wrong() {
      field().wrong = true;
      return *this;
    }

   private:
    [[nodiscard]] Field& field() { return builder_->out_.layers.back().fields.back(); }
    Builder* builder_;
    std::uint64_t number_;
  };

  Builder(ByteView frame, const Settings& settings) : frame_{frame}, end_{frame.size()}, settings_{settings} {
    out_.octets = frame.size();
  }

  [[nodiscard]] const Settings& settings() const { return settings_; }
  [[nodiscard]] std::size_t at() const { return bit_ / 8; }
  [[nodiscard]] std::size_t left() const { return end_ > at() ? end_ - at() : 0; }
  /// Octets from `from` on, as many as there are up to `count`.
  [[nodiscard]] ByteView octets(std::size_t from, std::size_t count) const;
  [[nodiscard]] std::uint8_t peek(std::size_t ahead = 0) const;
  /// Nothing behind this octet is read from now on.
  void end_at(std::size_t octet) { end_ = std::min(octet, frame_.size()); }
  void end_with_frame() { end_ = frame_.size(); }
  [[nodiscard]] std::size_t end() const { return end_; }
  void go_to(std::size_t octet) { bit_ = octet * 8; }
  /// To the next whole octet.
  void align() { bit_ = (bit_ + 7) / 8 * 8; }

  void layer(Words title);
  /// The next `bits` (at most 64) as a number. Throws CutOff.
  Note number(std::size_t bits, Words name);
  Note ipv4(Words name);
  Note mac(Words name);
  /// The next octets, shown in hex.
  Note bytes(std::size_t count, Words name);
  /// The next octets, shown as text.
  Note text(std::size_t count, Words name);
  /// One bit, shown as set or not.
  Note flag(Words name, Words when_set);
  /// What is said about this place.
  Note remark(Words name);

  template <class... T>
  [[nodiscard]] std::string say(Words format, const T&... values) const {
    return fmt::format(fmt::runtime(format.in(settings_.language)), values...);
  }
  [[nodiscard]] Dissection take() { return std::move(out_); }

 private:
  friend class Note;
  Field& add(std::size_t bits, Words name);

  ByteView frame_;
  std::size_t end_;
  std::size_t bit_ = 0;
  const Settings& settings_;
  Dissection out_;
};

/// Printable characters of the octets, the others as dots, in quotation marks; at most `limit`.
[[nodiscard]] std::string quoted(ByteView octets, std::size_t limit = 48);

/// A checksum of RFC 1071 in the making, with every step in words.
class Sum {
 public:
  /// 16-bit words in network order, an odd octet at the end padded with zero.
  Sum& add(ByteView octets);
  Sum& add(std::uint32_t word) {
    total_ += word;
    return *this;
  }
  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] std::uint16_t folded() const;
  /// "1ddf2 -> ddf2 + 1 = ddf3"
  [[nodiscard]] std::string folding() const;

 private:
  std::uint64_t total_ = 0;
};

/// "4500 + 003c + 1c46", the field at `skip` left out as zero.
[[nodiscard]] std::string words_of(ByteView octets, std::size_t limit = 40);

/// Notes the checksum field that comes next, with `others` summed besides it (the field itself counted as zero), and
/// judges it.
void note_checksum(Builder& b, const Sum& others, std::vector<std::string> steps);

}  // namespace wireside::dissect
