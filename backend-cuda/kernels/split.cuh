// rho / norm as two factors, neither of which over- or underflows.
#pragma once

#include "rule.cuh"

constexpr int MOST_UNIT_EXPONENT_FLOAT = 126;
constexpr int MOST_UNIT_EXPONENT_DOUBLE = 1022;

// The most that the exponent of the unit of a norm may be: the unit is a float where eps-hat is computed in floats.
static __device__ int most_unit_exponent(int adaptive) {
    return adaptive ? MOST_UNIT_EXPONENT_DOUBLE : MOST_UNIT_EXPONENT_FLOAT;
}

// floor(log2(x)) of a positive finite number.
static __device__ int exponent(double x) {
    const int biased = int(__double_as_longlong(x) >> 52) & 0x7ff;
    if (biased != 0) return biased - 1023;
    return (int(__double_as_longlong(x * 18446744073709551616.0) >> 52) & 0x7ff) - 1023 - 64;
}

static __device__ double power_of_two(int k) { return __longlong_as_double((long long)(k + 1023) << 52); }

// rho / norm as a power of two times a rest.
static __device__ void split(Norm* norm, double rho, int most) {
    // What vanishes beside the norm may be much beside the norm over a large radius.
    const int large = exponent(rho) - 2;
    int k = (large > 0 ? large : 0) - (exponent(norm->scale) + exponent(norm->scaled));
    k = k < -most ? -most : k > most ? most : k;
    norm->unit = power_of_two(k);
    norm->factor = rho / (norm->scaled * (norm->scale * norm->unit));
}
