// Division by a number that is known beforehand. The host's side is src/kernels/divisor.rs.
#pragma once

// For numerators below 2^31 (Granlund and Montgomery 1994).
struct Divisor {
    unsigned int divisor;
    unsigned int magic;
    unsigned int shift;

    __device__ unsigned int quotient(unsigned int n) const { return (__umulhi(n, magic) + n) >> shift; }

    // The quotient; n becomes the remainder.
    __device__ unsigned int split(unsigned int& n) const {
        const unsigned int q = quotient(n);
        n -= q * divisor;
        return q;
    }
};
