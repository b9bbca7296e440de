// Writes up to eight numbers that travel with the launch itself: no host memory has to stay alive for them.

struct Words {
    unsigned int word[8];
};

extern "C" __global__ void store(Words words, unsigned int count, unsigned int* to) {
#pragma unroll
    for (unsigned int i = 0; i < 8; i++)
        if (i < count) to[i] = words.word[i];
}
