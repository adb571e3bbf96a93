#include "memory/counted_memory.hpp"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> in_use;

constexpr std::size_t header = sizeof(std::size_t);

void* counted(void* p) {
  if (p == nullptr) throw std::bad_alloc{};
  in_use += malloc_usable_size(p) + header;
  return p;
}
void release(void* p) {
  if (p == nullptr) return;
  in_use -= malloc_usable_size(p) + header;
  std::free(p);
}

}  // namespace

namespace wireside::testing {
std::size_t octets_allocated() { return in_use; }
}  // namespace wireside::testing

void* operator new(std::size_t size) { return counted(std::malloc(size)); }
void* operator new[](std::size_t size) { return counted(std::malloc(size)); }
void* operator new(std::size_t size, std::align_val_t at) {
  const auto alignment = static_cast<std::size_t>(at);
  return counted(std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment));
}
void* operator new[](std::size_t size, std::align_val_t at) { return operator new(size, at); }
void operator delete(void* p) noexcept { release(p); }
void operator delete[](void* p) noexcept { release(p); }
void operator delete(void* p, std::size_t) noexcept { release(p); }
void operator delete[](void* p, std::size_t) noexcept { release(p); }
void operator delete(void* p, std::align_val_t) noexcept { release(p); }
void operator delete[](void* p, std::align_val_t) noexcept { release(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { release(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { release(p); }
