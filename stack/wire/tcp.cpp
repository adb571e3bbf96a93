#include "wire/tcp.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <utility>

namespace wireside::wire {
namespace {

enum OptionKind : std::uint8_t {
  end_of_list = 0,
  nop = 1,
  mss = 2,
  window_scale = 3,
  sack_permitted = 4,
  sack = 5,
  timestamps = 8,
  user_timeout = 28,
  fast_open = 34
};

constexpr std::size_t option_space = tcp_max_header - tcp_min_header;

// One flag to an octet, and back, without looking at each. The members are in the order of the bits.
constexpr std::uint64_t lowest_bits = 0x0101010101010101;

TcpFlags unpack_flags(std::uint8_t octet) {
  constexpr std::uint64_t one_bit_each = 0x8040201008040201;
  constexpr std::uint64_t carry_up = 0x7f7f7f7f7f7f7f7f;
  std::uint64_t flags = ((octet * lowest_bits & one_bit_each) + carry_up) >> 7 & lowest_bits;
  if constexpr (std::endian::native == std::endian::big) flags = std::byteswap(flags);
  return std::bit_cast<TcpFlags>(flags);
}

std::uint8_t pack_flags(const TcpFlags& f) {
  constexpr std::uint64_t gather = 0x0102040810204080;
  auto flags = std::bit_cast<std::uint64_t>(f);
  if constexpr (std::endian::native == std::endian::big) flags = std::byteswap(flags);
  return static_cast<std::uint8_t>(flags * gather >> 56);
}

void read_sack(ByteView data, TcpOptions& options) {
  if (data.empty() || data.size() % 8 != 0) return;
  options.sack_count = 0;
  for (std::size_t at = 0; at < data.size() && options.sack_count < options.sack.size(); at += 8) {
    options.sack[options.sack_count++] = {SeqNum{load_be32(data.data() + at)}, SeqNum{load_be32(data.data() + at + 4)}};
  }
}

// RFC 5482 section 3.1: the first bit says that the rest counts minutes.
constexpr std::uint16_t in_minutes = 0x8000;

std::chrono::seconds unpack_user_timeout(std::uint16_t field) {
  const unsigned value = field & 0x7fffU;
  return std::chrono::seconds{(field & in_minutes) != 0 ? value * 60 : value};
}

std::uint16_t pack_user_timeout(std::chrono::seconds timeout) {
  constexpr std::int64_t most = 0x7fff;
  const std::int64_t seconds = std::max<std::int64_t>(timeout.count(), 0);
  if (seconds <= most) return static_cast<std::uint16_t>(seconds);
  return static_cast<std::uint16_t>(in_minutes | std::min((seconds + 59) / 60, most));
}

/// `data` is what follows the length octet. A known kind with a length that is not its own says nothing usable and is
/// skipped like an unknown one; the list as a whole can still be followed.
void read_option(std::uint8_t kind, ByteView data, TcpOptions& options) {
  switch (kind) {
    case mss:
      if (data.size() == 2) options.mss = load_be16(data.data());
      break;
    case window_scale:
      if (data.size() == 1) options.window_scale = data[0];
      break;
    case sack_permitted:
      if (data.empty()) options.sack_permitted = true;
      break;
    case sack:
      read_sack(data, options);
      break;
    case timestamps:
      if (data.size() == 8) options.timestamps = {load_be32(data.data()), load_be32(data.data() + 4)};
      break;
    case user_timeout:
      if (data.size() == 2) options.user_timeout = unpack_user_timeout(load_be16(data.data()));
      break;
    case fast_open:
      if (const auto cookie = FastOpenCookie::from(data)) options.fast_open = cookie;
      break;
    default:
      break;
  }
}

constexpr std::size_t timestamps_octets = 12;             // with two NOPs before them
constexpr std::uint32_t nop_nop_timestamps = 0x0101080a;  // and their length

/// Nothing but timestamps, or nothing at all: what every segment but a SYN or one that reports a gap has.
bool timestamps_alone(const TcpOptions& o) {
  return !o.mss && !o.window_scale && !o.sack_permitted && !o.fast_open && o.sack_count == 0 && !o.user_timeout;
}

/// False when a length is 0, 1 or past the header's end (MUST-7).
bool read_options(ByteView octets, TcpOptions& options) {
  if (octets.size() == timestamps_octets && load_be32(octets.data()) == nop_nop_timestamps) {
    options.timestamps = {load_be32(octets.data() + 4), load_be32(octets.data() + 8)};
    return true;
  }
  std::size_t at = 0;
  while (at < octets.size() && octets[at] != end_of_list) {
    if (octets[at] == nop) {
      ++at;
      continue;
    }
    if (at + 1 >= octets.size()) return false;
    const std::size_t length = octets[at + 1];
    if (length < 2 || at + length > octets.size()) return false;
    read_option(octets[at], octets.subspan(at + 2, length - 2), options);
    at += length;
  }
  return true;
}

std::size_t octets_without_user_timeout(const TcpOptions& o) {
  std::size_t n = o.mss ? 4 : 0;
  if (o.timestamps) n += 12;                      // sackOK,TS or nop,nop,TS
  if (o.sack_permitted && !o.timestamps) n += 4;  // nop,nop,sackOK
  if (o.window_scale) n += 4;
  if (o.fast_open) n += (2U + o.fast_open->length + 3U) / 4 * 4;
  return n;
}

/// The user timeout is told again later, so it gives way to what must go with the SYN.
bool user_timeout_fits(const TcpOptions& o) {
  return o.user_timeout && octets_without_user_timeout(o) + 4 <= option_space;
}

std::size_t octets_before_sack(const TcpOptions& o) {
  return octets_without_user_timeout(o) + (user_timeout_fits(o) ? 4 : 0);
}

std::size_t sack_blocks_that_fit(const TcpOptions& o) {
  const std::size_t room = option_space - octets_before_sack(o);
  const std::size_t fit = room < 12 ? 0 : (room - 4) / 8;
  return std::min<std::size_t>({o.sack_count, o.sack.size(), fit});
}

std::uint8_t* put_nops(std::uint8_t* p, int count) { return std::fill_n(p, count, std::uint8_t{nop}); }

std::uint8_t* put_head(std::uint8_t* p, OptionKind kind, std::size_t length) {
  *p++ = kind;
  *p++ = static_cast<std::uint8_t>(length);
  return p;
}

std::uint8_t* put_u32(std::uint8_t* p, std::uint32_t v) {
  store_be32(p, v);
  return p + 4;
}

/// Every group is a multiple of four octets, so the list needs no padding behind it (MUST-69 holds trivially).
std::uint8_t* put_options(const TcpOptions& o, std::uint8_t* p) {
  if (o.mss) {
    p = put_head(p, mss, 4);
    store_be16(p, *o.mss);
    p += 2;
  }
  if (o.sack_permitted) {
    if (!o.timestamps) p = put_nops(p, 2);
    p = put_head(p, sack_permitted, 2);
  }
  if (o.timestamps) {
    if (!o.sack_permitted) p = put_nops(p, 2);
    p = put_head(p, timestamps, 10);
    p = put_u32(p, o.timestamps->ts_val);
    p = put_u32(p, o.timestamps->ts_ecr);
  }
  if (o.window_scale) {
    p = put_head(put_nops(p, 1), window_scale, 3);
    *p++ = *o.window_scale;
  }
  if (user_timeout_fits(o)) {
    p = put_head(p, user_timeout, 4);
    store_be16(p, pack_user_timeout(*o.user_timeout));
    p += 2;
  }
  if (o.fast_open) {
    const std::size_t length = 2U + o.fast_open->length;
    p = put_head(put_nops(p, static_cast<int>((4 - length % 4) % 4)), fast_open, length);
    p = std::copy_n(o.fast_open->octets.begin(), o.fast_open->length, p);
  }
  if (const std::size_t blocks = sack_blocks_that_fit(o); blocks > 0) {
    p = put_head(put_nops(p, 2), sack, 2 + 8 * blocks);
    for (std::size_t i = 0; i < blocks; ++i) p = put_u32(put_u32(p, o.sack[i].left.value()), o.sack[i].right.value());
  }
  return p;
}

}  // namespace

std::optional<FastOpenCookie> FastOpenCookie::from(ByteView data) {
  if (!data.empty() && (data.size() < min_length || data.size() > max_length || data.size() % 2 != 0)) {
    return std::nullopt;
  }
  FastOpenCookie cookie;
  cookie.length = static_cast<std::uint8_t>(data.size());
  std::copy(data.begin(), data.end(), cookie.octets.begin());
  return cookie;
}

Result<std::size_t> parse_tcp(ByteView segment, TcpHeader& h) {
  if (segment.size() < tcp_min_header) return fail(Error::Truncated);
  const std::uint8_t* p = segment.data();
  const std::size_t header_length = std::size_t{p[12]} / 16 * 4;
  if (header_length < tcp_min_header) return fail(Error::Malformed);
  if (header_length > segment.size()) return fail(Error::Truncated);
  h.source = Port{load_be16(p)};
  h.destination = Port{load_be16(p + 2)};
  h.seq = SeqNum{load_be32(p + 4)};
  h.ack = SeqNum{load_be32(p + 8)};
  h.flags = unpack_flags(p[13]);
  h.window = load_be16(p + 14);
  h.urgent_pointer = load_be16(p + 18);
  const ByteView options = segment.subspan(tcp_min_header, header_length - tcp_min_header);
  if (!read_options(options, h.options)) return fail(Error::Malformed);
  return header_length;
}

Result<ParsedTcp> parse_tcp(ByteView segment) {
  Result<ParsedTcp> parsed{std::in_place};
  if (const auto length = parse_tcp(segment, parsed->header)) {
    parsed->header_length = *length;
  } else {
    parsed = fail(length.error());
  }
  return parsed;
}

std::size_t tcp_header_length(const TcpHeader& header) {
  if (timestamps_alone(header.options)) return tcp_min_header + (header.options.timestamps ? timestamps_octets : 0);
  const std::size_t blocks = sack_blocks_that_fit(header.options);
  return tcp_min_header + octets_before_sack(header.options) + (blocks > 0 ? 4 + 8 * blocks : 0);
}

std::size_t emit_tcp(const TcpHeader& header, MutableByteView out) {
  const std::size_t length = tcp_header_length(header);
  assert(out.size() >= length);
  std::uint8_t* p = out.data();
  store_be16(p, header.source.value);
  store_be16(p + 2, header.destination.value);
  store_be32(p + 4, header.seq.value());
  store_be32(p + 8, header.ack.value());
  p[12] = static_cast<std::uint8_t>(length / 4 << 4);
  p[13] = pack_flags(header.flags);
  store_be16(p + 14, header.window);
  store_be16(p + tcp_checksum_offset, 0);
  store_be16(p + 18, header.urgent_pointer);
  if (length == tcp_min_header) return length;
  if (timestamps_alone(header.options)) {
    store_be32(p + tcp_min_header, nop_nop_timestamps);
    store_be32(p + tcp_min_header + 4, header.options.timestamps->ts_val);
    store_be32(p + tcp_min_header + 8, header.options.timestamps->ts_ecr);
    return length;
  }
  [[maybe_unused]] const std::uint8_t* end = put_options(header.options, p + tcp_min_header);
  assert(end == p + length);
  return length;
}

}  // namespace wireside::wire
