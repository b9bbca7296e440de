// Each value dropped or enlarged by chance (Srivastava et al. 2014), forwards and backwards.
#include "divisor.cuh"
#include "draw.cuh"
#include "element.cuh"
#include "vector.cuh"

constexpr unsigned int WORDS = 16;  // of a block of random words

// y = x, 0 for a share `rate` of the values and `kept` times as much for the others; written, or added. A thread for each block
// of words: sixteen values of a sample. The samples begin at place `first_sample` of what is drawn for. Random if `training` and if
// there is something to draw from, else y = x. y may be x.
extern "C" __global__ void __launch_bounds__(256) KERNEL(dropout)(
    const Element* x, unsigned int blocks, const Divisor by_blocks, unsigned int len, unsigned int node, double rate,
    float kept, const Random* random, unsigned int first_sample, int training, int accumulate, Element* y) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= blocks) return;
    unsigned int block = i;
    const unsigned int sample = by_blocks.split(block);
    unsigned int words[WORDS];
    const bool drawn = training && random->backward != 0;
    if (drawn) sample_words(*random, node, first_sample + sample, by_blocks.divisor, block, words);
    const unsigned int first = block * WORDS, at = sample * len + first;
    const auto drop = [&](unsigned int j, float x, float before) {
        const float factor = !drawn ? 1.0f : double(uniform(words[j])) < rate ? 0.0f : kept;
        return accumulate ? before + x * factor : x * factor;
    };
    if (len - first < WORDS || !aligned(x + at, y + at)) {
#pragma unroll
        for (unsigned int j = 0; j < WORDS; j++)
            if (first + j < len) y[at + j] = drop(j, x[at + j], accumulate ? float(y[at + j]) : 0.0f);
        return;
    }
    Group<Element, WORDS> from, to;
    from.read(x + at);
    if (accumulate) to.read(y + at);
#pragma unroll
    for (unsigned int j = 0; j < WORDS; j++) to.at[j] = drop(j, from.at[j], accumulate ? float(to.at[j]) : 0.0f);
    to.write(y + at);
}
