// CUDA devices that compute nothing: torch's fake tensors need them in a torch without CUDA.

#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/impl/FakeGuardImpl.h>

using NoHooks = at::CUDAHooksInterface;

struct Hooks final : NoHooks {
  bool isBuilt() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
};

// For the rest of its life, torch keeps a reference to the hooks that it has once asked for: to an
// object without fields, in whose place another is made here.
extern "C" void pretend_cuda(bool on) {
  static const c10::impl::FakeGuardImpl<c10::DeviceType::CUDA> guard;
  static_assert(sizeof(Hooks) == sizeof(NoHooks));
  auto* hooks = const_cast<NoHooks*>(&at::detail::getCUDAHooks());
  on ? new (hooks) Hooks : new (hooks) NoHooks;
  c10::impl::device_guard_impl_registry[size_t(c10::DeviceType::CUDA)] = on ? &guard : nullptr;
}
