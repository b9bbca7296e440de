"""Steps on NumPy's own memory through ctypes, held to SAM written in NumPy.

    numpy_steps.py LIBRARY      exits with 0 if all is well
"""

import ctypes
import io
import sys

import numpy as np

lib = ctypes.CDLL(sys.argv[1], mode=ctypes.RTLD_GLOBAL)
NUMBERS = [(name, ctypes.c_uint32) for name in ("method", "base", "nesterov", "decoupled")]
REALS = "rho eta alpha lr momentum beta1 beta2 epsilon decay".split()


class Settings(ctypes.Structure):
    _fields_ = NUMBERS + [("k", ctypes.c_uint64)] + [(name, ctypes.c_double) for name in REALS]


lib.sam_settings.restype = Settings
lib.sam_status_text.restype = ctypes.c_char_p
lib.sam_f64_size.restype = lib.sam_f64_words.restype = ctypes.c_size_t
lib.sam_f64_words.argtypes = [ctypes.POINTER(Settings), ctypes.c_size_t]
vector = np.ctypeslib.ndpointer(np.float64, flags="C_CONTIGUOUS")
lib.sam_f64_init.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.POINTER(Settings), vector, ctypes.c_size_t,
                             ctypes.c_size_t, ctypes.POINTER(ctypes.c_void_p)]
for half in (lib.sam_f64_begin, lib.sam_f64_finish):
    half.argtypes = [ctypes.c_void_p, vector, vector, ctypes.c_double]
lib.sam_f64_perturbed.argtypes = [ctypes.c_void_p]
lib.sam_f64_perturbed.restype = ctypes.POINTER(ctypes.c_double)
counters = np.ctypeslib.ndpointer(np.uint64, flags="C_CONTIGUOUS")
for length in (lib.sam_f64_state_reals, lib.sam_f64_state_counts):
    length.argtypes, length.restype = [ctypes.c_void_p], ctypes.c_size_t
for copy in (lib.sam_f64_save, lib.sam_f64_load):
    copy.argtypes = [ctypes.c_void_p, vector, counters]

n, rho, lr, momentum = 1000, 0.3, 0.05, 0.9
settings = lib.sam_settings(0, 0)
settings.rho, settings.lr, settings.momentum = rho, lr, momentum


def lend():
    """A handle in NumPy's memory, and what must live as long as it."""
    memory = np.zeros(-(-lib.sam_f64_size() // 16), dtype=np.complex128)  # 16 bytes an entry, and aligned to 16
    words = lib.sam_f64_words(settings, n)
    buffer = np.empty(words)
    sam = ctypes.c_void_p()
    status = lib.sam_f64_init(memory.ctypes.data, memory.nbytes, settings, buffer, words, n, ctypes.byref(sam))
    assert status == 0, lib.sam_status_text(status)
    return sam, memory, buffer


sam, memory, buffer = lend()
random = np.random.default_rng(1)
scale, w = random.uniform(0.1, 2.0, n), random.normal(size=n)
place, reference, m, g = w.ctypes.data, w.copy(), np.zeros(n), np.empty(n)
perturbed = np.ctypeslib.as_array(lib.sam_f64_perturbed(sam), (n,))  # serves every step
assert np.shares_memory(perturbed, buffer), "the perturbed weights were copied"
for step in range(50):
    if step == 20:
        # The state goes through a file of NumPy's, to a handle in other memory.
        state = np.empty(lib.sam_f64_state_reals(sam)), np.empty(lib.sam_f64_state_counts(sam), dtype=np.uint64)
        assert state[0].size == n, "the momentum is the state"
        status = lib.sam_f64_save(sam, *state)
        assert status == 0, lib.sam_status_text(status)
        file = io.BytesIO()
        np.savez(file, reals=state[0], counts=state[1])
        file.seek(0)
        saved = np.load(file)
        sam, memory, buffer = lend()
        status = lib.sam_f64_load(sam, saved["reals"], saved["counts"])
        assert status == 0, lib.sam_status_text(status)
        perturbed = np.ctypeslib.as_array(lib.sam_f64_perturbed(sam), (n,))
    g[:] = scale * w
    status = lib.sam_f64_begin(sam, w, g, 0.0)
    assert status == 1, lib.sam_status_text(status)
    g[:] = scale * perturbed
    status = lib.sam_f64_finish(sam, w, g, 0.0)
    assert status == 2, lib.sam_status_text(status)

    clean = scale * reference
    up = reference + rho * clean / np.linalg.norm(clean)
    m = momentum * m + scale * up
    reference = reference - lr * m
    assert np.allclose(w, reference, rtol=1e-11, atol=1e-13)
assert w.ctypes.data == place
