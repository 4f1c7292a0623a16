// Pages of memory that JavaScript shares between threads.
#include <sys/mman.h>
#include <unistd.h>

#include "addon.h"

// adviseHugePages(memory: Int32Array): whether the kernel takes the advice to back it with huge pages.
static napi_value AdviseHugePages(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  size_t words = 0;
  void* data = nullptr;
  napi_typedarray_type type;
  napi_value result = nullptr;
  if (napi_get_typedarray_info(env, arguments.values[0], &type, &words, &data, nullptr, nullptr) != napi_ok ||
      type != napi_int32_array) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "adviseHugePages: expected an Int32Array");
    return nullptr;
  }
  // Whole pages inside the memory only: its neighbours are not ours.
  const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(data) + page - 1) & ~(page - 1);
  const uintptr_t end = (reinterpret_cast<uintptr_t>(data) + words * sizeof(int32_t)) & ~(page - 1);
  const bool taken = end > begin && madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE) == 0;
  napi_get_boolean(env, taken, &result);
  return result;
}

void AddMemoryFunctions(napi_env env, napi_value exports) {
  AddFunction(env, exports, "adviseHugePages", AdviseHugePages);
}
