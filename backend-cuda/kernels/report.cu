// What a step came to, put together so that the host reads it in one copy: three records, word by word.

extern "C" __global__ void __launch_bounds__(64) report(
    const unsigned int* loss, unsigned int loss_words, const unsigned int* norm, unsigned int norm_words,
    const unsigned int* finite, unsigned int* to) {
    const unsigned int i = threadIdx.x;
    if (i < loss_words) to[i] = loss[i];
    if (norm != nullptr && i < norm_words) to[loss_words + i] = norm[i];
    if (i == 0) to[loss_words + norm_words] = *finite;
}
