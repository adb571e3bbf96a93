#include <algorithm>
#include <array>
#include <string>

#include "document_root.hpp"

namespace wireside::apps {
namespace {

struct Row {
  std::string_view extension;
  std::string_view type;
};

// Sorted by extension. Text types name their charset, since browsers otherwise guess.
constexpr std::array rows{
    Row{"7z", "application/x-7z-compressed"},
    Row{"aac", "audio/aac"},
    Row{"avif", "image/avif"},
    Row{"bin", "application/octet-stream"},
    Row{"bmp", "image/bmp"},
    Row{"bz2", "application/x-bzip2"},
    Row{"c", "text/plain; charset=utf-8"},
    Row{"cc", "text/plain; charset=utf-8"},
    Row{"conf", "text/plain; charset=utf-8"},
    Row{"cpp", "text/plain; charset=utf-8"},
    Row{"css", "text/css; charset=utf-8"},
    Row{"csv", "text/csv; charset=utf-8"},
    Row{"deb", "application/vnd.debian.binary-package"},
    Row{"doc", "application/msword"},
    Row{"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    Row{"epub", "application/epub+zip"},
    Row{"flac", "audio/flac"},
    Row{"gif", "image/gif"},
    Row{"gz", "application/gzip"},
    Row{"h", "text/plain; charset=utf-8"},
    Row{"hpp", "text/plain; charset=utf-8"},
    Row{"htm", "text/html; charset=utf-8"},
    Row{"html", "text/html; charset=utf-8"},
    Row{"ico", "image/vnd.microsoft.icon"},
    Row{"ics", "text/calendar; charset=utf-8"},
    Row{"iso", "application/octet-stream"},
    Row{"jpeg", "image/jpeg"},
    Row{"jpg", "image/jpeg"},
    Row{"js", "text/javascript; charset=utf-8"},
    Row{"json", "application/json"},
    Row{"jsonl", "application/jsonl"},
    Row{"log", "text/plain; charset=utf-8"},
    Row{"m3u8", "application/vnd.apple.mpegurl"},
    Row{"m4a", "audio/mp4"},
    Row{"md", "text/markdown; charset=utf-8"},
    Row{"mjs", "text/javascript; charset=utf-8"},
    Row{"mkv", "video/matroska"},
    Row{"mov", "video/quicktime"},
    Row{"mp3", "audio/mpeg"},
    Row{"mp4", "video/mp4"},
    Row{"mpeg", "video/mpeg"},
    Row{"odt", "application/vnd.oasis.opendocument.text"},
    Row{"oga", "audio/ogg"},
    Row{"ogg", "audio/ogg"},
    Row{"ogv", "video/ogg"},
    Row{"opus", "audio/ogg"},
    Row{"otf", "font/otf"},
    Row{"pcap", "application/vnd.tcpdump.pcap"},
    Row{"pcapng", "application/octet-stream"},
    Row{"pdf", "application/pdf"},
    Row{"png", "image/png"},
    Row{"ppt", "application/vnd.ms-powerpoint"},
    Row{"py", "text/x-python; charset=utf-8"},
    Row{"rtf", "application/rtf"},
    Row{"sh", "text/x-sh; charset=utf-8"},
    Row{"svg", "image/svg+xml"},
    Row{"tar", "application/x-tar"},
    Row{"tgz", "application/gzip"},
    Row{"tif", "image/tiff"},
    Row{"tiff", "image/tiff"},
    Row{"toml", "application/toml"},
    Row{"ts", "video/mp2t"},
    Row{"ttf", "font/ttf"},
    Row{"txt", "text/plain; charset=utf-8"},
    Row{"wasm", "application/wasm"},
    Row{"wav", "audio/wav"},
    Row{"webm", "video/webm"},
    Row{"webmanifest", "application/manifest+json"},
    Row{"webp", "image/webp"},
    Row{"woff", "font/woff"},
    Row{"woff2", "font/woff2"},
    Row{"xhtml", "application/xhtml+xml"},
    Row{"xls", "application/vnd.ms-excel"},
    Row{"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    Row{"xml", "application/xml"},
    Row{"xz", "application/x-xz"},
    Row{"yaml", "application/yaml"},
    Row{"yml", "application/yaml"},
    Row{"zip", "application/zip"},
    Row{"zst", "application/zstd"},
};
static_assert(std::ranges::is_sorted(rows, {}, &Row::extension));

constexpr std::string_view unknown = "application/octet-stream";

}  // namespace

std::string_view media_type(std::string_view name) {
  const auto slash = name.rfind('/');
  if (slash != std::string_view::npos) name.remove_prefix(slash + 1);
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return unknown;
  std::string extension{name.substr(dot + 1)};
  for (char& c : extension) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  const auto row = std::ranges::lower_bound(rows, std::string_view{extension}, {}, &Row::extension);
  return row != rows.end() && row->extension == extension ? row->type : unknown;
}

}  // namespace wireside::apps
