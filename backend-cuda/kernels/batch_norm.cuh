// Batch normalisation (Ioffe and Szegedy 2015): y = (x - mean) factor + offset, rectified if a ReLU follows.
#pragma once

// A channel's numbers, made by the forward pass. The host's side is src/kernels/batch_norm.rs.
struct Channel {
    float mean;
    float factor;
    float offset;
    // 1 / sqrt(variance + epsilon)
    float inverse_deviation;
};

// One expression for both passes, so that they agree on which values the ReLU lets through.
static __device__ float normal(const Channel& c, float x) { return fmaf(x - c.mean, c.factor, c.offset); }

static __device__ float gate(const Channel& c, float x, float g, int relu) {
    return relu && normal(c, x) <= 0.0f ? 0.0f : g;
}
