// Channels of two images one behind the other, and a part of an image's channels: concatenation, and the zeros behind a
// shortcut's channels.
#include "divisor.cuh"
#include "element.cuh"

// `first` channels of a, then those of b, or zeros where b is null; n values altogether.
extern "C" __global__ void __launch_bounds__(256) KERNEL(channels_join)(
    const Element* a, const Element* b, unsigned int n, const Divisor by_channels, unsigned int first, Element* y) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    unsigned int channel = i;
    const unsigned int pixel = by_channels.split(channel), second = by_channels.divisor - first;
    float value = 0.0f;
    if (channel < first) value = a[pixel * first + channel];
    else if (b != nullptr) value = b[pixel * second + channel - first];
    y[i] = value;
}

// Of `channels` channels those from `before` on, as many as `by_part` says: n values, written or added.
extern "C" __global__ void __launch_bounds__(256) KERNEL(channels_part)(
    const Element* x, unsigned int n, const Divisor by_part, unsigned int channels, unsigned int before, int accumulate,
    Element* y) {
    const unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    unsigned int channel = i;
    const unsigned int pixel = by_part.split(channel);
    const float value = x[pixel * channels + before + channel];
    y[i] = accumulate ? y[i] + value : value;
}
