// Frames taken apart: every bit has one place, lengths that lie do no harm, and both languages say the same.
#include "dissect/dissection.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <regex>

#include "dissect/builder.hpp"
#include "dissect/hex_text.hpp"
#include "dissect/render.hpp"

namespace wireside::dissect {
namespace {

Octets frame_of(std::string_view hex) {
  const auto frames = frames_from_text(hex);
  if (!frames || frames->size() != 1) {
    ADD_FAILURE() << hex << ": " << (frames ? "not one frame" : frames.error());
    return {};
  }
  return frames->front();
}

const Field* find_field(const Dissection& d, std::string_view layer, std::string_view name) {
  for (const Layer& l : d.layers) {
    if (l.title != layer) continue;
    for (const Field& f : l.fields) {
      if (f.name == name) return &f;
    }
  }
  return nullptr;
}

/// "value (meaning)" of a field.
std::string field_text(const Dissection& d, std::string_view layer, std::string_view name) {
  const Field* f = find_field(d, layer, name);
  if (f == nullptr) return "none";
  return f->meaning.empty() ? f->value : f->value + " (" + f->meaning + ")";
}

/// Every bit of the frame in exactly one field, in order.
void expect_every_bit_once(const Dissection& d, std::size_t octets) {
  std::size_t bit = 0;
  for (const Layer& l : d.layers) {
    for (const Field& f : l.fields) {
      if (f.bits == 0) continue;
      EXPECT_EQ(f.bit, bit) << l.title << ": " << f.name;
      bit = f.bit + f.bits;
    }
  }
  EXPECT_EQ(bit, octets * 8);
}

constexpr std::string_view arp_request =
    "ff ff ff ff ff ff 02 00 5e 00 53 01 08 06"
    "00 01 08 00 06 04 00 01 02 00 5e 00 53 01 0a 00 00 02 00 00 00 00 00 00 0a 00 00 01";
constexpr std::string_view arp_reply_padded =
    "02 00 5e 00 53 01 52 54 00 12 34 56 08 06"
    "00 01 08 00 06 04 00 02 52 54 00 12 34 56 0a 00 00 01 02 00 5e 00 53 01 0a 00 00 02"
    "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00";

TEST(Dissect, AnArpRequestOf28Octets) {
  const Octets frame = frame_of(arp_request);
  ASSERT_EQ(frame.size(), 14U + 28U);
  const Dissection d = dissect(frame, {});
  expect_every_bit_once(d, frame.size());
  EXPECT_EQ(field_text(d, "Ethernet", "destination"), "ff:ff:ff:ff:ff:ff (broadcast: everyone)");
  EXPECT_EQ(field_text(d, "Ethernet", "type"), "0x0806 (ARP)");
  EXPECT_EQ(field_text(d, "ARP", "operation"), "1 (request)");
  EXPECT_EQ(field_text(d, "ARP", "in short"), " (who has 10.0.0.1? tell 10.0.0.2)");
  EXPECT_EQ(find_field(d, "ARP", "target protocol")->bit, 38U * 8);
}

TEST(Dissect, AnArpReplyPaddedTo46Octets) {
  const Octets frame = frame_of(arp_reply_padded);
  ASSERT_EQ(frame.size(), 14U + 46U);
  const Dissection d = dissect(frame, {});
  expect_every_bit_once(d, frame.size());
  EXPECT_EQ(field_text(d, "ARP", "in short"), " (10.0.0.1 is at 52:54:00:12:34:56)");
  EXPECT_EQ(find_field(d, "Ethernet padding", "padding")->bits, 18U * 8);
}

TEST(Dissect, ArpProbesAndAnnouncementsAreCalledSo) {
  Octets frame = frame_of(arp_request);
  std::fill_n(frame.begin() + 28, 4, std::uint8_t{0});
  EXPECT_EQ(field_text(dissect(frame, {}), "ARP", "in short"), " (does anyone have 10.0.0.1? (a probe, RFC 5227))");
  std::copy_n(frame.begin() + 38, 4, frame.begin() + 28);
  EXPECT_EQ(field_text(dissect(frame, {}), "ARP", "in short"),
            " (10.0.0.1 is at 02:00:5e:00:53:01 (an announcement, RFC 5227))");
}

constexpr std::string_view syn =
    "52 54 00 12 34 56 02 00 5e 00 53 01 08 00"
    "45 00 00 3c 1c 46 40 00 40 06 b1 e6 ac 10 0a 63 ac 10 0a 0c"
    "c0 00 00 50 12 34 56 78 00 00 00 00 a0 02 fa f0 09 7b 00 00"
    "02 04 05 b4 04 02 08 0a 8d 7f 20 88 00 00 00 00 01 03 03 07";

TEST(Dissect, ASynWithItsOptions) {
  const Octets frame = frame_of(syn);
  const Dissection d = dissect(frame, {});
  expect_every_bit_once(d, frame.size());
  EXPECT_EQ(field_text(d, "IPv4", "IHL"), "5 (20 octets of header)");
  EXPECT_EQ(field_text(d, "IPv4", "total length"), "60 (octets, 20 of them header)");
  EXPECT_EQ(field_text(d, "IPv4", "DF"), "1 (do not fragment: the path MTU is being found)");
  EXPECT_EQ(field_text(d, "IPv4", "checksum"), "0xb1e6 (correct)");
  EXPECT_EQ(find_field(d, "IPv4", "checksum")->steps,
            (std::vector<std::string>{"4500 + 003c + 1c46 + 4000 + 4006 + 0000 + ac10 + 0a63 + ac10 + 0a0c",
                                      "sum 0x24e17 -> 0x4e17 + 0x2 = 0x4e19, complement 0xb1e6"}));
  EXPECT_EQ(field_text(d, "TCP", "destination port"), "80 (http)");
  EXPECT_EQ(field_text(d, "TCP", "flags in short"), "SYN");
  EXPECT_EQ(find_field(d, "TCP", "SYN")->bit, 47U * 8 + 6);
  EXPECT_EQ(find_field(d, "TCP", "MSS")->value, "1460");
  EXPECT_EQ(find_field(d, "TCP", "TSval")->value, "2373918856");
  EXPECT_EQ(field_text(d, "TCP", "shift"), "7 (windows count in units of 128 octets (RFC 7323))");
  EXPECT_EQ(find_field(d, "TCP", "sequence number")->rule,
            "snd_nxt; snd_una or a gap's edge when sent again; iss in a SYN; snd_nxt - 1 in a keep-alive");
}

TEST(Dissect, AChecksumIsJudgedAndOneForTheDeviceToCompleteNotCalledWrong) {
  Octets frame = frame_of(syn);
  const Dissection right = dissect(frame, {});
  const Field* sum = find_field(right, "TCP", "checksum");
  ASSERT_NE(sum, nullptr);
  const bool correct = sum->meaning == "correct";
  frame[50] = static_cast<std::uint8_t>(frame[50] ^ 0x10U);
  const Dissection changed = dissect(frame, {});
  EXPECT_TRUE(correct) << sum->meaning;
  EXPECT_TRUE(find_field(changed, "TCP", "checksum")->wrong);
  // What a TAP with offload has of it: the pseudo-header's sum, which the device would go on with.
  const std::uint16_t pseudo =
      Sum{}.add(0xac10U).add(0x0a63U).add(0xac10U).add(0x0a0cU).add(6U).add(std::uint32_t{40}).folded();
  store_be16(&frame[50], pseudo);
  const Dissection partial = dissect(frame, {});
  EXPECT_FALSE(find_field(partial, "TCP", "checksum")->wrong);
  EXPECT_EQ(find_field(partial, "TCP", "checksum")->meaning,
            "only the pseudo-header's sum: the device completes it (to 0x097b)");
}

TEST(Dissect, LengthsThatCannotBeAreCalledSo) {
  const auto wrong = [](Octets frame, std::size_t at, std::uint8_t value, std::string_view layer,
                        std::string_view name) {
    frame[at] = value;
    const Dissection d = dissect(frame, {});
    const Field* f = find_field(d, layer, name);
    return f != nullptr && f->wrong && f->meaning.find("not possible") != std::string::npos;
  };
  const Octets frame = frame_of(syn);
  EXPECT_TRUE(wrong(frame, 14, 0x44, "IPv4", "IHL"));
  EXPECT_TRUE(wrong(frame, 17, 0, "IPv4", "total length"));
  EXPECT_TRUE(wrong(frame, 46, 0xf0, "TCP", "data offset"));
  EXPECT_TRUE(wrong(frame, 46, 0x40, "TCP", "data offset"));
  EXPECT_TRUE(wrong(frame, 55, 1, "TCP", "option length"));
  EXPECT_TRUE(wrong(frame, 55, 80, "TCP", "option length"));
}

TEST(Dissect, AHeaderAloneSaysWhatIsMissing) {
  const Octets header = frame_of("45 00 00 3c 1c 46 40 00 40 06 b1 e6 ac 10 0a 63 ac 10 0a 0c");
  ASSERT_EQ(guess_start(header), Start::Ipv4);
  const Dissection d = dissect(header, {.start = Start::Ipv4});
  EXPECT_EQ(field_text(d, "IPv4", "total length"), "60 (octets; only 20 are here)");
  EXPECT_EQ(field_text(d, "TCP", "end"), " (cut off: the field that comes here is not complete)");
}

TEST(Dissect, WhatOctetsBeginWithIsGuessed) {
  EXPECT_EQ(guess_start(frame_of(syn)), Start::Ethernet);
  EXPECT_EQ(guess_start(ByteView{frame_of(syn)}.subspan(14)), Start::Ipv4);
  EXPECT_EQ(guess_start(ByteView{frame_of(arp_request)}.subspan(14)), Start::Arp);
  EXPECT_EQ(guess_start({}), Start::Ethernet);
}

TEST(Dissect, ADhcpMessageWithOption53) {
  Octets frame = frame_of(
      "02 00 5e 00 53 01 52 54 00 12 34 56 08 00"
      "45 00 01 1c 00 00 00 00 40 11 00 00 0a 00 00 01 0a 00 00 02 00 43 00 44 01 08 00 00"
      "02 01 06 00 39 03 f3 26 00 00 80 00 00 00 00 00 0a 00 00 39 0a 00 00 01 00 00 00 00"
      "02 00 5e 00 53 01 00 00 00 00 00 00 00 00 00 00");
  frame.resize(frame.size() + 64 + 128);
  for (const int octet : {0x63, 0x82, 0x53, 0x63, 53, 1, 5, 54, 4, 10, 0, 0, 1, 51, 4, 0, 0, 0x0e, 0x10, 255}) {
    frame.push_back(static_cast<std::uint8_t>(octet));
  }
  const Dissection d = dissect(frame, {});
  expect_every_bit_once(d, frame.size());
  EXPECT_EQ(field_text(d, "UDP", "checksum"), "0x0000 (none was computed)");
  EXPECT_EQ(field_text(d, "DHCP", "message type"), "5 (DHCPACK)");
  EXPECT_EQ(field_text(d, "DHCP", "lease time"), "3600 s");
  EXPECT_EQ(field_text(d, "DHCP", "broadcast"), "1 (please answer by broadcast)");
  EXPECT_EQ(field_text(d, "DHCP", "yiaddr"), "10.0.0.57 (your address: what the server gives)");
}

TEST(Dissect, AnErrorsQuotedPacketIsTakenApartToo) {
  const Octets packet = frame_of(
      "45 00 00 38 00 01 00 00 40 01 00 00 0a 00 00 01 0a 00 00 02 03 04 00 00 00 00 05 78"
      "45 00 05 dc 1c 46 40 00 40 06 00 00 0a 00 00 02 0a 00 00 09 00 50 c0 00 12 34 56 78");
  const Dissection d = dissect(packet, {.start = Start::Ipv4});
  expect_every_bit_once(d, packet.size());
  EXPECT_EQ(field_text(d, "ICMP", "code"), "4 (fragmentation needed, but DF is set)");
  EXPECT_EQ(find_field(d, "ICMP", "next-hop MTU")->value, "1400");
  EXPECT_EQ(field_text(d, "the packet it is about: TCP", "source port"), "80 (http)");
}

TEST(Dissect, ADnsNameMayPointBackButNotForEver) {
  const std::string head = "45 00 00 44 00 01 00 00 40 11 00 00 0a 00 00 01 0a 00 00 02 00 35 c0 00 00 30 00 00";
  const Octets good = frame_of(head +
                               "12 34 81 80 00 01 00 01 00 00 00 00 01 61 02 62 63 00 00 01 00 01"
                               "c0 0c 00 01 00 01 00 00 00 3c 00 04 0a 00 00 07 00 00");
  const Dissection d = dissect(good, {.start = Start::Ipv4});
  expect_every_bit_once(d, good.size());
  EXPECT_EQ(field_text(d, "DNS record", "name"), "a.bc.");
  EXPECT_EQ(field_text(d, "DNS record", "address"), "10.0.0.7");
  const Octets loop =
      frame_of(head + "12 34 81 80 00 01 00 00 00 00 00 00 c0 0c 00 01 00 01 00 00 00 00 00 00 00 00 00 00");
  EXPECT_NE(find_field(dissect(loop, {.start = Start::Ipv4}), "DNS question", "name")->value.find("<loop>"),
            std::string::npos);
}

// Whatever comes: no bit is read twice, none is forgotten, and Chinese has the same fields as English.
RC_GTEST_PROP(DissectProperty, EveryBitOfAnyOctetsHasOnePlaceInBothLanguages, ()) {
  Octets octets = *rc::gen::container<Octets>(rc::gen::arbitrary<std::uint8_t>());
  const auto start =
      *rc::gen::element(Start::Ethernet, Start::Arp, Start::Ipv4, Start::Tcp, Start::Udp, Start::Icmp, Start::Dhcp);
  if (start == Start::Ipv4 && !octets.empty()) octets[0] = 0x45;
  const Dissection english = dissect(octets, {.start = start});
  const Dissection chinese = dissect(octets, {.language = Language::Chinese, .start = start});
  std::size_t bit = 0;
  RC_ASSERT(english.layers.size() == chinese.layers.size());
  for (std::size_t l = 0; l < english.layers.size(); ++l) {
    RC_ASSERT(english.layers[l].fields.size() == chinese.layers[l].fields.size());
    for (std::size_t i = 0; i < english.layers[l].fields.size(); ++i) {
      const Field &e = english.layers[l].fields[i], &c = chinese.layers[l].fields[i];
      RC_ASSERT(e.bit == c.bit && e.bits == c.bits && e.wrong == c.wrong);
      if (e.bits == 0) continue;
      RC_ASSERT(e.bit >= bit);
      RC_ASSERT(e.bit - bit < 8U);  // at a cut, up to the next whole octet
      bit = e.bit + e.bits;
    }
  }
  RC_ASSERT(bit <= octets.size() * 8);
  RC_ASSERT(octets.size() * 8 - bit < 8U);
  RC_ASSERT(!to_text(english, octets, {}).empty());
}

TEST(HexText, TakesWhatToolsPrint) {
  const Octets sixteen{0x45, 0, 0, 0x3c, 0x1c, 0x46, 0x40, 0, 0x40, 6, 0xb1, 0xe6, 0xac, 0x10, 0x0a, 0x63};
  for (const char* text : {
           "4500003c1c46400040 06b1e6ac100a63",
           "45 00 00 3c 1c 46 40 00 40 06 b1 e6 ac 10 0a 63",
           "0x45 0x00 0x00 0x3c 0x1c 0x46 0x40 0x00, 0x40 0x06 0xb1 0xe6 0xac 0x10 0x0a 0x63",
           "\t0x0000:  4500 003c 1c46 4000 4006 b1e6 ac10 0a63  E..<.F@.@......c\n",            // tcpdump -X
           "00000000  45 00 00 3c 1c 46 40 00  40 06 b1 e6 ac 10 0a 63  |E..<.F@.@......c|\n",  // hexdump -C
           "00000000: 4500 003c 1c46 4000 4006 b1e6 ac10 0a63  E..<.F@.@......c\n",             // xxd
           "0000   45 00 00 3c 1c 46 40 00 40 06 b1 e6 ac 10 0a 63   E..<.F@.@......c\n",       // Wireshark
           "000000 45 00 00 3c 1c 46 40 00 40 06 b1 e6 ac 10 0a 63\n",                          // od -Ax -tx1
           "# a comment\n0000:  4500 003c 1c46 4000\n0008:  4006 b1e6 ac10 0a63\n",
       }) {
    const auto frames = frames_from_text(text);
    ASSERT_TRUE(frames) << text << ": " << frames.error();
    EXPECT_EQ(*frames, std::vector<Octets>{sixteen}) << text;
  }
}

TEST(HexText, SummariesArePassedOverAndOffsetZeroBeginsAFrame) {
  const auto frames = frames_from_text(
      "09:18:46.921216 IP 10.99.0.1 > 10.99.0.2: ICMP echo request, id 1, seq 1, length 64\n"
      "\t0x0000:  4500 003c 1c46 4000 4006 b1e6 ac10 0a63\n\t0x0010:  ac10\n"
      "09:18:46.921300 IP 10.99.0.2 > 10.99.0.1: ICMP echo reply, id 1, seq 1, length 64\n"
      "\t0x0000:  4500 0054\n");
  ASSERT_TRUE(frames) << frames.error();
  ASSERT_EQ(frames->size(), 2U);
  EXPECT_EQ(frames->at(0).size(), 18U);
  EXPECT_EQ(frames->at(1), (Octets{0x45, 0, 0, 0x54}));
}

// An Ethernet frame between zero addresses, as on a loopback: its first octets are no offset.
TEST(HexText, GroupsOfZerosAreOctets) {
  EXPECT_EQ(frame_of("00000000 00000000 00000000 0800 4500").size(), 16U);
  EXPECT_EQ(frame_of("000000 000000 000000 000000 0800").size(), 14U);
  EXPECT_EQ(frame_of("000000").size(), 3U);
}

TEST(HexText, SaysWhatIsWrong) {
  const std::map<std::string, std::string> cases{
      {"", "there are no octets"},
      {"45 0", "line 1: an octet has two hex digits, and '0' stands alone"},
      {"45 0 0", "line 1: an octet has two hex digits, and '0' stands alone"},
      {"45 00\n45 xy", "line 2: 'x' is no hex digit"},
      {"0x0000: 4500\n0x0010: 4500", "line 2: offset 0x10 where 0x2 is expected: is the frame whole?"}};
  for (const auto& [text, error] : cases) {
    const auto frames = frames_from_text(text);
    ASSERT_FALSE(frames) << text;
    EXPECT_EQ(frames.error(), error);
  }
}

RC_GTEST_PROP(HexTextProperty, DigitsComeBackAsTheyWere, (const Octets& octets)) {
  RC_PRE(!octets.empty());
  std::string text;
  for (const std::uint8_t octet : octets) {
    static constexpr char digits[] = "0123456789abcdef";
    text += digits[octet >> 4];
    text += digits[octet & 15];
    if (*rc::gen::inRange(0, 4) == 0) text += ' ';
  }
  // "000000 00 45" is an offset and two octets, as Wireshark writes them.
  RC_PRE(!std::regex_match(text, std::regex{"0{6,8}( [0-9a-f]{2})+ ?"}));
  RC_ASSERT(frames_from_text(text).value_or(std::vector<Octets>{}) == std::vector<Octets>{octets});
}

TEST(DissectText, ChineseTakesTwoColumns) {
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("校验和"), 6U);
  EXPECT_EQ(display_width("a…"), 2U);
  EXPECT_EQ(display_width("4 · 5"), 5U);
}

}  // namespace
}  // namespace wireside::dissect
