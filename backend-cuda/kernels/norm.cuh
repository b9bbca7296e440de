// Sweeps over a gradient and what a norm is made of, for the whole vector and for its segments.
#pragma once

#include "power.cuh"
#include "rule.cuh"
#include "split.cuh"
#include "vector.cuh"

constexpr int THREADS = 256;
constexpr unsigned int CHUNK = 4096;

// A sum, or the largest entry with its index; of equals the first.
struct Partial {
    double value;
    unsigned int index;
    unsigned int unused;
};

constexpr Partial NOTHING = {0.0, 0xffffffff, 0};

enum Goal { SQUARES, ABSOLUTES, PEAK, POWERS };

static __device__ Partial larger(Partial a, Partial b) {
    // The bits of non-negative numbers order like the numbers, with infinity and NaN on top.
    const unsigned long long x = __double_as_longlong(a.value), y = __double_as_longlong(b.value);
    return x > y || (x == y && a.index < b.index) ? a : b;
}

static __device__ Partial sum(Partial a, Partial b) { return {a.value + b.value, 0, 0}; }

static __device__ Partial join(int goal, Partial a, Partial b) { return goal == PEAK ? larger(a, b) : sum(a, b); }

// Adds entry i, whose x = |g|, or (|w| + eta) |g|, to what has been found. `peak` is the largest x of all.
static __device__ void take_in(int goal, double q, double peak, double x, unsigned int i, Partial& own) {
    switch (goal) {
        case SQUARES: own.value += x * x; break;
        case ABSOLUTES: own.value += x; break;
        case PEAK: own = larger(own, {x, i, 0}); break;
        case POWERS: own.value += power(x / peak, q); break;
    }
}

// The norm, given all that the sweeps have found; for other p it comes twice, first for the peak. `most` bounds the
// exponent of the norm's unit. Without `finite` nobody is told whether the gradient is.
static __device__ void conclude(
    const Partial& all, int goal, double p, double q, double rho, int most, Norm* norm, unsigned int* finite) {
    if (goal == POWERS) {
        if (norm->verdict != FINITE) return;
        norm->scaled = power(all.value, 1.0 / q);
        norm->divisor = power(all.value, 1.0 / p);
        norm->factor = rho / norm->divisor;
        return;
    }
    const unsigned int verdict = !isfinite(all.value) ? NON_FINITE : all.value > 0.0 ? FINITE : ZERO;
    norm->verdict = verdict;
    if (finite != nullptr) *finite = verdict != NON_FINITE;
    norm->index = all.index;
    norm->scale = 1.0;
    norm->scaled = norm->divisor = all.value;
    norm->unit = norm->factor = 0.0;
    if (verdict != FINITE) return;
    if (goal == SQUARES) {
        norm->scaled = norm->divisor = sqrt(all.value);
        split(norm, rho, most);
    } else if (goal == ABSOLUTES) {
        norm->divisor = 1.0;
    } else {
        norm->scale = all.value;
        norm->scaled = norm->divisor = 1.0;
    }
}
