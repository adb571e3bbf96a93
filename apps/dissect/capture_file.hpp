// Reads captures of tcpdump, Wireshark and wireside: pcap, and pcapng with its comments.
#pragma once

#include <cstdint>
#include <cstdio>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace wireside::dissect {

struct CapturedFrame {
  std::vector<std::uint8_t> octets;
  std::size_t original_octets = 0;  ///< on the wire; more than `octets` where the capture was cut
  std::uint32_t link_type = 1;      ///< LINKTYPE_ number: 1 is Ethernet, 101 raw IP
  std::int64_t time_ns = 0;         ///< since 1970
  std::vector<std::string> comments;
};

class CaptureFile {
 public:
  static constexpr std::uint32_t ethernet = 1, raw_ip = 101, raw_ipv4 = 228;
  /// A block longer than this is taken for damage.
  static constexpr std::uint32_t longest_block = 16U << 20;

  /// "-" is standard input. The error is a sentence with the reason.
  [[nodiscard]] static std::expected<CaptureFile, std::string> open(const std::string& path);
  /// Takes over an open file, of which `head` has been read already.
  [[nodiscard]] static std::expected<CaptureFile, std::string> read(std::FILE* file, std::string head = {});

  /// The next frame; nullopt at the end. An error where the file is damaged or ends inside of a frame.
  [[nodiscard]] std::expected<std::optional<CapturedFrame>, std::string> next();

 private:
  struct Close {
    void operator()(std::FILE* f) const {
      if (f != stdin) (void)std::fclose(f);
    }
  };
  struct Interface {
    std::uint32_t link_type = 1;
    std::uint64_t ticks_per_second = 1'000'000;
  };
  using Octets = std::vector<std::uint8_t>;
  using Frame = std::expected<std::optional<CapturedFrame>, std::string>;

  CaptureFile(std::FILE* file, std::string head) : file_{file}, head_{std::move(head)} {}
  [[nodiscard]] std::expected<void, std::string> begin();
  [[nodiscard]] std::expected<void, std::string> begin_section();
  /// How many there were.
  [[nodiscard]] std::size_t get_some(std::uint8_t* out, std::size_t count);
  [[nodiscard]] bool get(std::uint8_t* out, std::size_t count) { return get_some(out, count) == count; }
  [[nodiscard]] std::uint16_t number16(const std::uint8_t* p) const;
  [[nodiscard]] std::uint32_t number32(const std::uint8_t* p) const;
  [[nodiscard]] Frame next_record();
  [[nodiscard]] Frame next_block();
  [[nodiscard]] std::expected<Octets, std::string> block_body(std::uint32_t length);
  [[nodiscard]] std::expected<void, std::string> add_interface(const Octets& body);
  [[nodiscard]] Frame enhanced_packet(const Octets& body) const;
  [[nodiscard]] Frame simple_packet(const Octets& body) const;
  /// Calls `option(code, data, length)` for each option from `at` on.
  template <class Function>
  void for_each_option(const Octets& body, std::size_t at, Function&& option) const;

  std::unique_ptr<std::FILE, Close> file_;
  std::string head_;
  std::size_t head_taken_ = 0;
  bool blocks_ = false;  ///< pcapng
  bool little_endian_ = true;
  std::uint64_t fraction_ = 1'000'000;  ///< of pcap: parts of a second
  std::uint32_t link_type_ = 1;
  std::vector<Interface> interfaces_;
};

}  // namespace wireside::dissect
