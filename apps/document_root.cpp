#include "document_root.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <random>

#include "text.hpp"

namespace wireside::apps {
namespace {

constexpr std::string_view temporary_prefix = ".wireside-upload-";

/// For kernels without openat2: walks the path part by part and follows no symbolic link at all.
int open_part_by_part(int root, const std::string& path, int flags) {
  FileDescriptor folder{::openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC)};
  std::size_t begin = 0;
  while (folder.is_open()) {
    const auto slash = path.find('/', begin);
    const std::string part = path.substr(begin, slash - begin);
    if (slash == std::string::npos) return ::openat(folder.get(), part.c_str(), flags | O_NOFOLLOW | O_CLOEXEC);
    folder = FileDescriptor{::openat(folder.get(), part.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    begin = slash + 1;
  }
  return -1;
}

struct CloseFolder {
  void operator()(DIR* d) const { ::closedir(d); }
};

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) ::close(fd_);
}

std::expected<TargetPath, TargetFault> decode_target(std::string_view target) {
  if (!target.starts_with('/')) {  // absolute-form
    const auto authority = target.find("://");
    if (authority == std::string_view::npos) return std::unexpected{TargetFault::Malformed};
    target.remove_prefix(authority + 3);
    target.remove_prefix(std::min(target.find_first_of("/?#"), target.size()));
  }
  const auto decoded = percent_decode(target.substr(0, target.find_first_of("?#")));
  if (!decoded || decoded->find('\0') != std::string::npos) return std::unexpected{TargetFault::Malformed};
  TargetPath out;
  std::string_view rest = *decoded;
  while (!rest.empty()) {
    const auto end = std::min(rest.find('/'), rest.size());
    const std::string_view segment = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (segment == "..") return std::unexpected{TargetFault::Outside};
    if (segment.empty() || segment == ".") continue;
    if (!out.path.empty()) out.path += '/';
    out.path += segment;
  }
  out.directory = decoded->empty() || decoded->ends_with('/') || decoded->ends_with("/.");
  return out;
}

std::string entity_tag(const struct stat& facts) {
  return fmt::format("\"{:x}-{:x}.{:x}\"", facts.st_size, facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec);
}

std::expected<DocumentRoot, int> DocumentRoot::open(const std::string& folder) {
  FileDescriptor root{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!root.is_open()) return std::unexpected{errno};
  return DocumentRoot{std::move(root)};
}

std::expected<FileDescriptor, int> DocumentRoot::open_beneath(const std::string& path, int flags) const {
  const std::string relative = path.empty() ? "." : path;
  struct open_how how {};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  long fd = ::syscall(SYS_openat2, root_.get(), relative.c_str(), &how, sizeof how);
  if (fd < 0 && (errno == ENOSYS || errno == EPERM)) fd = open_part_by_part(root_.get(), relative, flags);
  if (fd < 0) return std::unexpected{errno};
  return FileDescriptor{static_cast<int>(fd)};
}

std::expected<OpenFile, int> DocumentRoot::open_file(const std::string& path) const {
  // Non-blocking, lest a pipe in the folder stop the whole server at open().
  auto descriptor = open_beneath(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!descriptor) return std::unexpected{descriptor.error()};
  OpenFile file{std::move(*descriptor), {}};
  if (::fstat(file.descriptor.get(), &file.facts) != 0) return std::unexpected{errno};
  if (!S_ISREG(file.facts.st_mode) && !S_ISDIR(file.facts.st_mode)) return std::unexpected{EACCES};
  return file;
}

std::expected<std::vector<DirectoryEntry>, int> DocumentRoot::list(const std::string& path,
                                                                   const OpenFile& folder) const {
  // A descriptor of its own: closedir() closes it, and its read position belongs to nobody else.
  const int fd = ::openat(folder.descriptor.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return std::unexpected{errno};
  const std::unique_ptr<DIR, CloseFolder> stream{::fdopendir(fd)};
  if (!stream) return std::unexpected{errno};
  std::vector<DirectoryEntry> entries;
  while (const dirent* item = ::readdir(stream.get())) {
    const std::string_view name = item->d_name;
    if (name == "." || name == ".." || name.starts_with(temporary_prefix)) continue;
    struct stat facts {};
    if (::fstatat(fd, item->d_name, &facts, AT_SYMLINK_NOFOLLOW) != 0) continue;  // gone meanwhile
    if (S_ISLNK(facts.st_mode) && !look_through(path + '/' + item->d_name, facts)) continue;
    if (!S_ISREG(facts.st_mode) && !S_ISDIR(facts.st_mode)) continue;
    entries.push_back(
        {std::string{name}, S_ISDIR(facts.st_mode), static_cast<std::uint64_t>(facts.st_size), facts.st_mtim.tv_sec});
  }
  std::ranges::sort(entries, [](const DirectoryEntry& a, const DirectoryEntry& b) {
    return a.directory != b.directory ? a.directory : a.name < b.name;
  });
  return entries;
}

bool DocumentRoot::look_through(const std::string& path, struct stat& facts) const {
  const auto target = open_beneath(path.starts_with('/') ? path.substr(1) : path, O_PATH);
  return target && ::fstat(target->get(), &facts) == 0;
}

std::expected<Upload, int> DocumentRoot::begin_upload(const std::string& path) const {
  const auto slash = path.rfind('/');
  std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (name.empty()) return std::unexpected{EISDIR};
  if (name.starts_with(temporary_prefix)) return std::unexpected{EACCES};
  auto folder = open_beneath(slash == std::string::npos ? "" : path.substr(0, slash), O_PATH | O_DIRECTORY);
  if (!folder) return std::unexpected{folder.error()};
  struct stat facts {};
  if (::fstatat(folder->get(), name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(facts.st_mode)) {
    return std::unexpected{EISDIR};
  }
  std::random_device random;
  std::string temporary = fmt::format("{}{:08x}{:08x}", temporary_prefix, random(), random());
  FileDescriptor file{
      ::openat(folder->get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666)};
  if (!file.is_open()) return std::unexpected{errno};
  return Upload{std::move(*folder), std::move(file), std::move(temporary), std::move(name)};
}

Upload::Upload(FileDescriptor folder, FileDescriptor file, std::string temporary, std::string name)
    : folder_{std::move(folder)}, file_{std::move(file)}, temporary_{std::move(temporary)}, name_{std::move(name)} {}

Upload::~Upload() {
  if (file_.is_open()) ::unlinkat(folder_.get(), temporary_.c_str(), 0);
}

std::expected<void, int> Upload::write(const void* data, std::size_t octets) {
  const char* at = static_cast<const char*>(data);
  while (octets > 0) {
    const ssize_t n = ::write(file_.get(), at, octets);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::unexpected{errno};
    at += n;
    octets -= static_cast<std::size_t>(n);
  }
  return {};
}

std::expected<void, int> Upload::write(const SliceList& slices) {
  std::array<iovec, SliceList::max_slices> parts{};
  std::size_t count = 0;
  for (const Slice& s : slices) parts[count++] = {const_cast<std::uint8_t*>(s.data()), s.size()};
  ssize_t n = 0;
  do {
    n = ::writev(file_.get(), parts.data(), static_cast<int>(count));
  } while (n < 0 && errno == EINTR);
  if (n < 0) return std::unexpected{errno};
  // A short write is rare; what is left goes piece by piece.
  auto skip = static_cast<std::size_t>(n);
  for (const Slice& s : slices) {
    const std::size_t done = std::min(skip, s.size());
    skip -= done;
    if (const auto rest = write(s.data() + done, s.size() - done); !rest) return rest;
  }
  return {};
}

std::expected<bool, int> Upload::commit() {
  struct stat facts {};
  const bool is_new = ::fstatat(folder_.get(), name_.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0;
  if (::renameat(folder_.get(), temporary_.c_str(), folder_.get(), name_.c_str()) != 0) return std::unexpected{errno};
  file_ = FileDescriptor{};
  return is_new;
}

std::string listing_page(std::string_view path, const std::vector<DirectoryEntry>& entries) {
  const std::string title = escape_html(fmt::format("/{}{}", path, path.empty() ? "" : "/"));
  std::string page = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{0}</title>\n"
      "<style>body{{font-family:sans-serif;margin:2em}}td{{padding:.1em 1em .1em 0}}td.n{{text-align:right}}</style>"
      "</head>\n<body>\n<h1>{0}</h1>\n<table>\n",
      title);
  if (!path.empty()) page += "<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n";
  for (const auto& entry : entries) {
    const std::string_view slash = entry.directory ? "/" : "";
    // "./" in front keeps a name with a colon from being read as a scheme.
    page += fmt::format("<tr><td><a href=\"./{}{}\">{}{}</a></td><td class=\"n\">{}</td><td>{}</td></tr>\n",
                        percent_encode(entry.name), slash, escape_html(entry.name), slash,
                        entry.directory ? "" : human_size(entry.size), http_date(entry.modified));
  }
  return page + "</table>\n</body>\n</html>\n";
}

}  // namespace wireside::apps
