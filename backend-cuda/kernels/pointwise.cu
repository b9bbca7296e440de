// Functions of one value, other than ReLU, and their gradients by the input. The backward kernels work in place on dy too.
#include "element.cuh"
#include "vector.cuh"

// Above about 88 the power is infinite, and its reciprocal 0.
static __device__ float logistic(float x) { return 1.0f / (1.0f + expf(-x)); }

struct Swish {
    static __device__ float value(float x) { return x * logistic(x); }
    static __device__ float slope(float x) {
        const float s = logistic(x);
        return s * (1.0f + x * (1.0f - s));
    }
};

struct Sigmoid {
    static __device__ float value(float x) { return logistic(x); }
    // `1 - s(x)` is `s(-x)`, which keeps its digits.
    static __device__ float slope(float x) { return logistic(x) * logistic(-x); }
};

// min(max(x, 0), 6). A NaN stays one.
struct Relu6 {
    static __device__ float value(float x) { return x <= 0.0f ? 0.0f : x >= 6.0f ? 6.0f : x; }
    static __device__ float slope(float x) { return x <= 0.0f || x >= 6.0f ? 0.0f : 1.0f; }
};

template <class Function>
static __device__ void forward(const Element* x, unsigned int n, Element* y) {
    map(n, y, [](unsigned int, float x) { return Function::value(x); }, x);
}

// Writes dx, or adds to it.
template <class Function>
static __device__ void backward(const Element* x, const Element* dy, unsigned int n, int accumulate, Element* dx) {
    map_onto(n, dx, accumulate, [](unsigned int, float x, float dy) { return dy * Function::slope(x); }, x, dy);
}

extern "C" __global__ void __launch_bounds__(256) KERNEL(swish_forward)(const Element* x, unsigned int n, Element* y) {
    forward<Swish>(x, n, y);
}

extern "C" __global__ void __launch_bounds__(256) KERNEL(swish_backward)(
    const Element* x, const Element* dy, unsigned int n, int accumulate, Element* dx) {
    backward<Swish>(x, dy, n, accumulate, dx);
}

extern "C" __global__ void __launch_bounds__(256) KERNEL(sigmoid_forward)(const Element* x, unsigned int n, Element* y) {
    forward<Sigmoid>(x, n, y);
}

extern "C" __global__ void __launch_bounds__(256) KERNEL(sigmoid_backward)(
    const Element* x, const Element* dy, unsigned int n, int accumulate, Element* dx) {
    backward<Sigmoid>(x, dy, n, accumulate, dx);
}

extern "C" __global__ void __launch_bounds__(256) KERNEL(relu6_forward)(const Element* x, unsigned int n, Element* y) {
    forward<Relu6>(x, n, y);
}

extern "C" __global__ void __launch_bounds__(256) KERNEL(relu6_backward)(
    const Element* x, const Element* dy, unsigned int n, int accumulate, Element* dx) {
    backward<Relu6>(x, dy, n, accumulate, dx);
}
