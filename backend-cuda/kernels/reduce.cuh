// Sums over a block of threads, in an order that depends on nothing but the number of threads.
#pragma once

// Every thread's value folded pairwise, t with t + half; the result is in thread 0's. `shared` has one place a thread.
template <int THREADS, class T, class Join>
__device__ T fold(T value, T* shared, Join join) {
    shared[threadIdx.x] = value;
    __syncthreads();
    for (int half = THREADS / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) shared[threadIdx.x] = join(shared[threadIdx.x], shared[threadIdx.x + half]);
        __syncthreads();
    }
    return shared[0];
}
