// The coefficients of all random layers of a pass, sample by sample.
#include "draw.cuh"

constexpr unsigned int DROP_CONNECT = 0, SHAKE_SHAKE = 1, SHAKE_DROP = 2;

// A layer that draws a coefficient for each sample.
struct Rule {
    unsigned int kind;
    unsigned int node;
    // The share that is dropped, or kept.
    double rate;
    // What a sample that is kept is multiplied by.
    float kept;
    // What a sample is multiplied by without random numbers.
    float expectation;
};

// What a value is multiplied by forwards, and its gradient backwards; for Shake-Shake the first branch's share.
struct Coefficient {
    float forward;
    float backward;
};

// A row of `capacity` coefficients for each layer. Blocks: samples, layers; the samples begin at place `first_sample` of what is drawn
// for. Random if `training` and if there is something to draw from.
extern "C" __global__ void __launch_bounds__(256) draw(
    const Rule* rules, const Random* random, unsigned int first_sample, unsigned int samples, unsigned int capacity,
    int training, int perturbed, Coefficient* to) {
    const unsigned int sample = blockIdx.x * blockDim.x + threadIdx.x;
    if (sample >= samples) return;
    const Rule rule = rules[blockIdx.y];
    Coefficient own = {rule.expectation, rule.expectation};
    if (training && random->backward != 0) {
        unsigned int words[16];
        sample_words(*random, rule.node, first_sample + sample, 1, 0, words);
        const float first = uniform(words[0]), second = uniform(words[1]), third = uniform(words[2]);
        const bool fresh = random->backward == 2 || (random->backward == 3 && perturbed);
        const bool below = double(first) < rule.rate;
        const float alpha = 2.0f * second - 1.0f, factor = below ? 0.0f : rule.kept;
        if (rule.kind == DROP_CONNECT) own = {factor, factor};
        if (rule.kind == SHAKE_SHAKE) own = {first, fresh ? second : first};
        if (rule.kind == SHAKE_DROP) own = below ? Coefficient{1.0f, 1.0f} : Coefficient{alpha, fresh ? third : alpha};
    }
    to[blockIdx.y * capacity + sample] = own;
}
