// ChaCha with 8 rounds (Bernstein 2008) as a source of random numbers, and numbers below a bound by Canon's method
// (2021): the words and the numbers of the host's generator.
#pragma once

struct Key {
    unsigned int word[8];
};

static __device__ void quarter(unsigned int& a, unsigned int& b, unsigned int& c, unsigned int& d) {
    a += b; d ^= a; d = __funnelshift_l(d, d, 16);
    c += d; b ^= c; b = __funnelshift_l(b, b, 12);
    a += b; d ^= a; d = __funnelshift_l(d, d, 8);
    c += d; b ^= c; b = __funnelshift_l(b, b, 7);
}

// Sixteen words of the block of that number of stream 0.
static __device__ void chacha8(const Key& key, unsigned long long block, unsigned int (&x)[16]) {
    const unsigned int constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
#pragma unroll
    for (int i = 0; i < 16; i++) x[i] = i < 4 ? constants[i] : i < 12 ? key.word[i - 4] : 0;
    x[12] = (unsigned int)block;
    x[13] = (unsigned int)(block >> 32);
#pragma unroll
    for (int round = 0; round < 8; round += 2) {
        quarter(x[0], x[4], x[8], x[12]);
        quarter(x[1], x[5], x[9], x[13]);
        quarter(x[2], x[6], x[10], x[14]);
        quarter(x[3], x[7], x[11], x[15]);
        quarter(x[0], x[5], x[10], x[15]);
        quarter(x[1], x[6], x[11], x[12]);
        quarter(x[2], x[7], x[8], x[13]);
        quarter(x[3], x[4], x[9], x[14]);
    }
#pragma unroll
    for (int i = 0; i < 12; i++) x[i] += i < 4 ? constants[i] : key.word[i - 4];
    x[12] += (unsigned int)block;
    x[13] += (unsigned int)(block >> 32);
}

// The words of a block one after the other; `words` may lie in shared memory.
struct Stream {
    const unsigned int* words;
    unsigned int next;

    __device__ unsigned int word() { return words[next++]; }

    // A number below `bound`, which is not 0; one word, or two where one would be biased.
    __device__ unsigned int below(unsigned int bound) {
        const unsigned int first = word(), low = first * bound;
        unsigned int result = __umulhi(first, bound);
        if (low > 0 - bound && __umulhi(word(), bound) > ~low) result++;
        return result;
    }
};
