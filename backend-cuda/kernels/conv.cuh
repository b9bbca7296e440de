// The geometry of a convolution, shared by its three kernels. A dense layer is the convolution of a 1x1 image with
// 1x1 filters. The host's side is src/kernels/conv.rs.
//
// Tensors are samples x height x width x channels, filters are rows x columns x channels x filters.
#pragma once

#include "divisor.cuh"

struct Conv {
    unsigned int samples;
    unsigned int height;
    unsigned int width;
    unsigned int channels;
    unsigned int out_height;
    unsigned int out_width;
    unsigned int filters;
    unsigned int kernel;
    // Rows and columns of zeros before the image; behind it are as many as the output reads.
    unsigned int padding_y;
    unsigned int padding_x;
    Divisor by_stride;
    Divisor by_kernel;
    Divisor by_channels;
    Divisor by_filters;
    Divisor by_width;
    Divisor by_pixels;
    Divisor by_out_width;
    Divisor by_out_pixels;

    __device__ unsigned int in_rows() const { return samples * by_pixels.divisor; }
    __device__ unsigned int out_rows() const { return samples * by_out_pixels.divisor; }
    __device__ unsigned int taps() const { return kernel * kernel; }
};
