// What activations and their gradients are kept as. A source that includes this is compiled twice: for floats, and with BF16 for
// bfloat16 (8 bits of exponent, 7 of fraction), whose kernels have `_bf16` behind their names and run from compute capability 8.0
// on. Both compute in floats: a bfloat16 becomes one where it is read, which is exact, and is rounded to nearest even where it is
// written.
#pragma once

struct Bfloat16 {
    unsigned short bits;

    __device__ operator float() const { return __uint_as_float((unsigned int)bits << 16); }

    __device__ Bfloat16& operator=(float value) {
        asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
        return *this;
    }
};

#ifdef BF16
using Element = Bfloat16;
#define KERNEL(name) name##_bf16
#else
using Element = float;
#define KERNEL(name) name
#endif
