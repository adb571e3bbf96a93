// A folder served over HTTP: what a request's target means in it, and files that cannot lie outside it.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <ctime>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "packet/buffer.hpp"

namespace wireside::apps {

/// Owns a file descriptor.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_{fd} {}
  FileDescriptor(FileDescriptor&& o) noexcept : fd_{std::exchange(o.fd_, -1)} {}
  FileDescriptor& operator=(FileDescriptor&& o) noexcept {
    std::swap(fd_, o.fd_);
    return *this;
  }
  ~FileDescriptor();
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

enum class TargetFault : std::uint8_t {
  Malformed,  ///< no path, a broken escape, or a NUL: 400
  Outside,    ///< climbs with "..": 403
};

/// A request target's path, decoded, relative to the root ("" is the root itself).
struct TargetPath {
  std::string path;
  bool directory = false;  ///< ended in '/'
  friend bool operator==(const TargetPath&, const TargetPath&) = default;
};

/// Understands origin-form and absolute-form (RFC 9112 section 3.2); the query is left out.
[[nodiscard]] std::expected<TargetPath, TargetFault> decode_target(std::string_view target);

/// Media type by the file name's extension; "application/octet-stream" where unknown.
[[nodiscard]] std::string_view media_type(std::string_view name);

/// Strong validator from size and modification time (RFC 9110 section 8.8.3), quotes included.
[[nodiscard]] std::string entity_tag(const struct stat& facts);

struct OpenFile {
  FileDescriptor descriptor;
  struct stat facts {};
};

struct DirectoryEntry {
  std::string name;
  bool directory = false;
  std::uint64_t size = 0;
  std::time_t modified = 0;
};

/// A file that takes its place only when it is complete; otherwise it vanishes.
class Upload {
 public:
  Upload(FileDescriptor folder, FileDescriptor file, std::string temporary, std::string name);
  Upload(Upload&&) noexcept = default;
  Upload& operator=(Upload&&) = delete;
  ~Upload();
  /// All octets or an errno.
  [[nodiscard]] std::expected<void, int> write(const void* data, std::size_t octets);
  [[nodiscard]] std::expected<void, int> write(const SliceList& slices);
  /// Puts the file in its place. True: it is new; false: it replaced another. Error: an errno.
  [[nodiscard]] std::expected<bool, int> commit();

 private:
  FileDescriptor folder_;
  FileDescriptor file_;
  std::string temporary_;
  std::string name_;
};

class DocumentRoot {
 public:
  /// Error: an errno (ENOENT, ENOTDIR, EACCES).
  [[nodiscard]] static std::expected<DocumentRoot, int> open(const std::string& folder);

  /// A regular file or folder beneath the root; symbolic links work as long as they stay beneath it.
  /// Errors: errno values; EXDEV for a path that leaves the root, EACCES for devices, pipes and sockets.
  [[nodiscard]] std::expected<OpenFile, int> open_file(const std::string& path) const;
  /// What open_file() would open in `folder`, which was opened as `path`; sorted by name, folders first. Unfinished
  /// uploads are left out.
  [[nodiscard]] std::expected<std::vector<DirectoryEntry>, int> list(const std::string& path,
                                                                     const OpenFile& folder) const;
  /// Begins to write `path`. Errors: EISDIR (it is a folder), ENOENT (its folder does not exist), EXDEV, ...
  [[nodiscard]] std::expected<Upload, int> begin_upload(const std::string& path) const;

 private:
  explicit DocumentRoot(FileDescriptor root) : root_{std::move(root)} {}
  [[nodiscard]] std::expected<FileDescriptor, int> open_beneath(const std::string& path, int flags) const;
  /// Follows a symbolic link in the listing of a folder, if it stays beneath the root.
  [[nodiscard]] bool look_through(const std::string& path, struct stat& facts) const;
  FileDescriptor root_;
};

/// An HTML page that lists a folder; `path` is the decoded path shown as its title.
[[nodiscard]] std::string listing_page(std::string_view path, const std::vector<DirectoryEntry>& entries);

}  // namespace wireside::apps
