// What the norm, the ascent and the host share. The host's side is src/kernels/rule.rs.
#pragma once

enum Exponent { P_ONE, P_TWO, P_INFINITE, P_OTHER };

// Hyper-parameters, in device memory so that a captured graph sees changes.
struct Rule {
    float rho;
    float eta;
};

enum Verdict { FINITE, ZERO, NON_FINITE };

// Dual norm `scale * scaled` of the gradient, and what the ascent needs of it.
struct Norm {
    double scale;
    double scaled;
    // (sum (x / scale)^q)^(1/p), what equation 2 divides by.
    double divisor;
    // A power of two near the inverse norm, and what remains of rho / norm.
    double unit;
    double factor;
    // For p = 1 the first entry with the largest x.
    unsigned int index;
    unsigned int verdict;
};
