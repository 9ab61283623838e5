// The module: what each operator shows to Python. Only this file and native/bind/ know Python.
#include "bind/bind.hpp"

// One source, built once for each instruction set under a name of its own: see CMakeLists.txt.
NB_MODULE(FLYBALL_MODULE, m) {
  m.doc() = "The native kernels. Arguments are checked in Python: see flyball.kernels.";
  // What this processor runs, told by the plainest module before a wider one is loaded.
  m.def("widest", [] {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("x86-64-v4")) return "avx512";
    if (__builtin_cpu_supports("x86-64-v3")) return "avx2";
#endif
    return "plain";
  });
  bind_windows(m);
  bind_asof(m);
  bind_moving_moments(m);
  bind_logscan(m);
  bind_ring(m);
  bind_peaks(m);
  bind_drift(m);
  bind_trees(m);
  bind_forests(m);
  bind_quantiles(m);
  bind_residuals(m);
}
