// Random numbers of layers, counted, not drawn one after the other: sam-model's `random` is the definition. The host's side
// is src/kernels/draw.rs.
#pragma once

#include "chacha.cuh"

// What the numbers of a step are counted from; written at every step, so that a recorded step draws anew.
struct Random {
    // Seed, purpose and step, the lower half of each first.
    unsigned int key[6];
    // Position of the batch's first sample in the step's batch.
    unsigned int first;
    // 0 if layers act by their expectation; else whose coefficients gradients have: 1 the forward ones, 2 fresh ones, 3 fresh
    // ones in the perturbed pass.
    unsigned int backward;
};

// Sixteen words: block `block` of those of the sample at that position of the batch, each of which has `blocks`.
static __device__ void sample_words(
    const Random& random, unsigned int node, unsigned int sample, unsigned int blocks, unsigned int block,
    unsigned int (&words)[16]) {
    Key key;
#pragma unroll
    for (int i = 0; i < 8; i++) key.word[i] = i < 6 ? random.key[i] : i == 6 ? node : 0;
    const unsigned long long position = (unsigned long long)random.first + sample;
    chacha8(key, position * blocks + block, words);
}

// Uniform in [0, 1), a multiple of 2^-24.
static __device__ float uniform(unsigned int word) { return float(word >> 8) * 0x1p-24f; }
