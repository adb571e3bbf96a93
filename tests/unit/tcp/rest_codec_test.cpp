#include "tcp/rest_codec.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>

namespace wireside::tcp {
namespace {

struct Written {
  std::uint64_t large = 0;
  std::uint8_t small = 0;
  bool a = false, b = false;
  double real = 0;
  Duration signed_time{};
  Duration maybe = Duration::max();
  Instant at;
  SeqNum seq;
  std::optional<SeqNum> maybe_seq;
  WindowScale shift;
  friend bool operator==(const Written&, const Written&) = default;

  template <class Codec>
  void pass(Codec& k) {
    k.number(large);
    k.number(small);
    k.flags(a, b);
    k.real(real);
    k.duration(signed_time);
    k.maybe_never(maybe);
    k.instant(at, Instant::from_ns(1'000'000));
    k.sequence(seq, SeqNum{0xfffffff0U});
    k.maybe_sequence(maybe_seq, seq);
    k.shift(shift);
  }
};

Written read_back(Written written) {
  RestCodec<RestWriter> writer;
  written.pass(writer);
  const RestOctets octets = writer.finish();
  RestCodec<RestReader> reader{octets.get()};
  Written read;
  read.pass(reader);
  return read;
}

TEST(RestCodec, NothingReadsBackAsNothing) { EXPECT_EQ(read_back({}), Written{}); }

TEST(RestCodec, ExtremesReadBack) {
  Written v;
  v.large = UINT64_MAX;
  v.small = UINT8_MAX;
  v.a = v.b = true;
  v.real = -std::numeric_limits<double>::denorm_min();
  v.signed_time = Duration::min();
  v.maybe = Duration{0};
  v.at = Instant::max();
  v.seq = SeqNum{0x7ffffff0U};
  v.maybe_seq = SeqNum{0};
  v.shift = WindowScale{14};
  EXPECT_EQ(read_back(v), v);
  v.signed_time = Duration::max();
  v.at = Instant{};
  EXPECT_EQ(read_back(v), v);
}

RC_GTEST_PROP(RestCodec, WhatWasWrittenIsRead,
              (std::uint64_t large, std::uint8_t small, bool a, bool b, double real, std::int64_t time,
               std::uint32_t seq)) {
  Written v;
  v.large = large;
  v.small = small;
  v.a = a;
  v.b = b;
  v.real = real;
  v.signed_time = Duration{time};
  v.maybe = a ? Duration::max() : Duration{static_cast<std::int64_t>(large >> 2U)};
  v.at = Instant::from_ns(static_cast<std::int64_t>(large >> (small % 60U + 1U)));
  v.seq = SeqNum{seq};
  if (b) v.maybe_seq = SeqNum{seq + small};
  v.shift = WindowScale{small};
  RC_ASSERT(read_back(v) == v);
}

}  // namespace
}  // namespace wireside::tcp
