// Loaded before libc into an unmodified linegate-dataplane (LD_PRELOAD, perf/run.sh --proof): counts what its workers ask of
// the allocator and of pthread's locks, in the file that LINEGATE_COUNT_FILE names: two numbers of 64 bits, which are
// allocations (and releases) and locks taken. Threads are told apart by the name that a worker gives itself.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {

struct Counts {
  uint64_t allocations;
  uint64_t locks;
};
Counts nowhere;
Counts* counts = &nowhere;
thread_local bool is_worker [[gnu::tls_model("initial-exec")]] = false;

[[gnu::constructor]] void Open() {
  const char* const path = std::getenv("LINEGATE_COUNT_FILE");
  const int file = path == nullptr ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0 || ftruncate(file, sizeof(Counts)) != 0) return;
  void* const memory = mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (memory != MAP_FAILED) counts = static_cast<Counts*>(memory);
}

void CountAllocation() {
  if (is_worker) __atomic_fetch_add(&counts->allocations, 1, __ATOMIC_RELAXED);
}
void CountLock() {
  if (is_worker) __atomic_fetch_add(&counts->locks, 1, __ATOMIC_RELAXED);
}

template <typename Function>
Function* Next(Function*& known, const char* name) {
  if (known == nullptr) known = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
  return known;
}

}  // namespace

extern "C" {

void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
void* __libc_realloc(void* old, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);
void __libc_free(void* memory);

[[gnu::visibility("default")]] void* malloc(size_t bytes) {
  CountAllocation();
  return __libc_malloc(bytes);
}
[[gnu::visibility("default")]] void* calloc(size_t count, size_t bytes) {
  CountAllocation();
  return __libc_calloc(count, bytes);
}
[[gnu::visibility("default")]] void* realloc(void* old, size_t bytes) {
  CountAllocation();
  return __libc_realloc(old, bytes);
}
[[gnu::visibility("default")]] void* aligned_alloc(size_t alignment, size_t bytes) {
  CountAllocation();
  return __libc_memalign(alignment, bytes);
}
[[gnu::visibility("default")]] void free(void* memory) {
  CountAllocation();
  __libc_free(memory);
}

[[gnu::visibility("default")]] int pthread_setname_np(pthread_t thread, const char* name) {
  static int (*next)(pthread_t, const char*) = nullptr;
  if (pthread_equal(thread, pthread_self()) != 0) is_worker = std::strncmp(name, "lg-worker-", 10) == 0;
  return Next(next, "pthread_setname_np")(thread, name);
}
[[gnu::visibility("default")]] int pthread_mutex_lock(pthread_mutex_t* mutex) {
  static int (*next)(pthread_mutex_t*) = nullptr;
  CountLock();
  return Next(next, "pthread_mutex_lock")(mutex);
}
[[gnu::visibility("default")]] int pthread_rwlock_rdlock(pthread_rwlock_t* lock) {
  static int (*next)(pthread_rwlock_t*) = nullptr;
  CountLock();
  return Next(next, "pthread_rwlock_rdlock")(lock);
}
[[gnu::visibility("default")]] int pthread_rwlock_wrlock(pthread_rwlock_t* lock) {
  static int (*next)(pthread_rwlock_t*) = nullptr;
  CountLock();
  return Next(next, "pthread_rwlock_wrlock")(lock);
}
[[gnu::visibility("default")]] int pthread_spin_lock(pthread_spinlock_t* lock) {
  static int (*next)(pthread_spinlock_t*) = nullptr;
  CountLock();
  return Next(next, "pthread_spin_lock")(lock);
}
}
