// A batch made of images that are on the device: chosen, mirrored, cropped, partly erased, standardised. The host's side
// is src/kernels/augment.rs.
#include "chacha.cuh"
#include "divisor.cuh"

constexpr unsigned int THREADS = 256;
constexpr unsigned int BYTES = 256;  // values of a byte

struct Turn {
    // Whether anything is drawn at all, and whether a square is erased.
    unsigned int draws;
    unsigned int erases;
    // Pixels of padding before the crop.
    unsigned int padding;
    unsigned int height;
    unsigned int width;
    Divisor by_channels;
    Divisor by_width;
    // The stream of an image is keyed by these and its number.
    unsigned int key[6];
};

struct Drawn {
    unsigned int mirrored;
    // Offset of the crop in the padded image.
    unsigned int crop_y, crop_x;
    // Centre of the erased square.
    unsigned int centre_y, centre_x;
};

static __device__ bool within(unsigned int at, unsigned int centre, unsigned int half) {
    return at + half >= centre && at < centre + half;
}

// One block an image of the batch: number `order[first + blockIdx.x]`. `tables` has what every byte of each channel becomes.
extern "C" __global__ void __launch_bounds__(THREADS) augment(
    const unsigned char* pixels, const unsigned int* labels, const float* tables, const unsigned int* order,
    unsigned int first, const Turn turn, float* images, unsigned int* batch_labels) {
    __shared__ Drawn drawn;
    __shared__ unsigned int words[16];
    const unsigned int image = order[first + blockIdx.x];
    if (threadIdx.x == 0) {
        batch_labels[blockIdx.x] = labels[image];
        drawn = {0, turn.padding, turn.padding, 0, 0};
        if (turn.draws) {
            Key key;
#pragma unroll
            for (int i = 0; i < 8; i++) key.word[i] = i < 6 ? turn.key[i] : i == 6 ? image : 0;
            unsigned int block[16];
            chacha8(key, 0, block);
#pragma unroll
            for (int i = 0; i < 16; i++) words[i] = block[i];
            Stream stream{words, 0};
            drawn.mirrored = stream.word() >> 31;
            drawn.crop_y = stream.below(2 * turn.padding + 1);
            drawn.crop_x = stream.below(2 * turn.padding + 1);
            if (turn.erases) {
                drawn.centre_y = stream.below(turn.height);
                drawn.centre_x = stream.below(turn.width);
            }
        }
    }
    __syncthreads();
    const unsigned int channels = turn.by_channels.divisor, length = turn.height * turn.width * channels;
    const unsigned char* const from = pixels + image * length;
    float* const to = images + blockIdx.x * length;
    for (unsigned int i = threadIdx.x; i < length; i += THREADS) {
        unsigned int channel = i;
        unsigned int x = turn.by_channels.split(channel);
        const unsigned int y = turn.by_width.split(x);
        // Before the first pixel is, as an unsigned number, beyond the last too.
        const unsigned int source_y = y + drawn.crop_y - turn.padding;
        unsigned int source_x = x + drawn.crop_x - turn.padding;
        bool empty = source_y >= turn.height || source_x >= turn.width;
        const unsigned int half = turn.width / 4;
        empty |= turn.erases && within(y, drawn.centre_y, half) && within(x, drawn.centre_x, half);
        if (drawn.mirrored) source_x = turn.width - 1 - source_x;
        float value = 0.0f;
        if (!empty) value = tables[channel * BYTES + from[(source_y * turn.width + source_x) * channels + channel]];
        to[i] = value;
    }
}
