// Where in a tensor of images a value lies.
#pragma once

#include "divisor.cuh"

// A value's place: sample, row, column, channel.
struct Place {
    unsigned int n, y, x, c;
};

static __device__ Place place(unsigned int i, const Divisor& channels, const Divisor& width, const Divisor& height) {
    Place at;
    at.c = i;
    at.x = channels.split(at.c);
    at.y = width.split(at.x);
    at.n = height.split(at.y);
    return at;
}
