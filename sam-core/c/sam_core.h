/* sam_core.h: Sharpness-Aware Minimization. Made by cbindgen from the Rust sources, to which changes belong. */

#ifndef SAM_CORE_H
#define SAM_CORE_H

#include <stddef.h>
#include <stdint.h>

/*
 SAM (Foret et al., ICLR 2021): needs 1 word a weight, and the base optimizer's.
 */
#define SAM_METHOD_SAM 0

/*
 ASAM (Kwon et al., ICML 2021): as SAM, in a ball that scales with `|w| + eta`.
 */
#define SAM_METHOD_ASAM 1

/*
 GSAM (Zhuang et al., ICLR 2022): needs 2 words a weight, and the base optimizer's.
 */
#define SAM_METHOD_GSAM 2

/*
 LookSAM (Liu et al., CVPR 2022), a second gradient every `k` steps: needs 3 words a weight, and the base optimizer's.
 */
#define SAM_METHOD_LOOKSAM 3

/*
 SGD with the arithmetic of `torch.optim.SGD`: needs 1 word a weight with momentum, none without.
 */
#define SAM_BASE_SGD 0

/*
 Adam, and with `decoupled` AdamW, with the arithmetic of `torch.optim`: needs 2 words a weight.
 */
#define SAM_BASE_ADAM 1

/*
 What a call came to. Negative: it could not be done, and changed nothing.
 Of a fixed size, since compilers for microcontrollers choose their own for enumerations.
 */
enum SamStatus
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /*
   Done.
   */
  SAM_STATUS_OK = 0,
  /*
   The step needs the gradient at the perturbed parameters: give it to `finish`.
   */
  SAM_STATUS_GRADIENT = 1,
  /*
   The step is over; the weights have moved.
   */
  SAM_STATUS_DESCENDED = 2,
  /*
   The step is over: the gradient was zero, so nothing was perturbed; the base optimizer took its step.
   */
  SAM_STATUS_ZERO_GRADIENT = 3,
  /*
   The step is over: the first loss or gradient was infinite or NaN. Weights and state are as before it.
   */
  SAM_STATUS_NON_FINITE_CLEAN = 4,
  /*
   The step is over: the second loss or gradient, or what the method made of it, was infinite or NaN. Weights and state are
   as before it.
   */
  SAM_STATUS_NON_FINITE_PERTURBED = 5,
  /*
   A pointer is null.
   */
  SAM_STATUS_NULL = -1,
  /*
   A pointer is not aligned.
   */
  SAM_STATUS_UNALIGNED = -2,
  /*
   Two vectors, or a vector and lent memory, overlap.
   */
  SAM_STATUS_OVERLAP = -3,
  /*
   Lent memory or a vector is too small.
   */
  SAM_STATUS_TOO_SMALL = -4,
  /*
   There are more weights than memory can hold.
   */
  SAM_STATUS_TOO_LARGE = -5,
  /*
   `begin` came before the step before was over, or `finish` or `cancel` without a `begin`.
   */
  SAM_STATUS_ORDER = -6,
  /*
   There is no such method.
   */
  SAM_STATUS_METHOD = -7,
  /*
   There is no such base optimizer.
   */
  SAM_STATUS_BASE = -8,
  /*
   `finish` got other weights than `begin`.
   */
  SAM_STATUS_WEIGHTS = -9,
  /*
   `rho` is out of range.
   */
  SAM_STATUS_RHO = -10,
  /*
   `eta` is out of range.
   */
  SAM_STATUS_ETA = -11,
  /*
   `alpha` is out of range.
   */
  SAM_STATUS_ALPHA = -12,
  /*
   `lr` is out of range.
   */
  SAM_STATUS_LR = -13,
  /*
   `momentum` is out of range.
   */
  SAM_STATUS_MOMENTUM = -14,
  /*
   `beta1` is out of range.
   */
  SAM_STATUS_BETA1 = -15,
  /*
   `beta2` is out of range.
   */
  SAM_STATUS_BETA2 = -16,
  /*
   `epsilon` is out of range.
   */
  SAM_STATUS_EPSILON = -17,
  /*
   `decay` is out of range.
   */
  SAM_STATUS_DECAY = -18,
  /*
   What this version of the interface has no word for.
   */
  SAM_STATUS_UNEXPECTED = -99,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum SamStatus SamStatus;
#else
typedef int32_t SamStatus;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 A method for weights in `f32`, in memory that the caller lent.
 */
typedef struct SamF32 SamF32;

/*
 A method for weights in `f64`, in memory that the caller lent.
 */
typedef struct SamF64 SamF64;

/*
 What a step is made with; `sam_settings` fills it with usual values. Numbers are rounded to the precision of the weights.
 */
typedef struct {
  /*
   One of the `SAM_METHOD` numbers.
   */
  uint32_t method;
  /*
   One of the `SAM_BASE` numbers.
   */
  uint32_t base;
  /*
   SGD: not 0 for Nesterov's momentum.
   */
  uint32_t nesterov;
  /*
   Not 0: weights shrink by `lr * decay` (AdamW); 0: `decay * w` is added to the gradient.
   */
  uint32_t decoupled;
  /*
   LookSAM: steps from one second gradient to the next.
   */
  uint64_t k;
  /*
   Radius of the ball.
   */
  double rho;
  /*
   ASAM: what is added to `|w|`.
   */
  double eta;
  /*
   GSAM: weight of the surrogate gap. LookSAM: share of the gradient's length that the kept part gets.
   */
  double alpha;
  /*
   Learning rate.
   */
  double lr;
  /*
   SGD: share of the momentum that stays.
   */
  double momentum;
  /*
   Adam: share of the mean gradient that stays.
   */
  double beta1;
  /*
   Adam: share of the mean squared gradient that stays.
   */
  double beta2;
  /*
   Adam: what is added to the root.
   */
  double epsilon;
  /*
   Weight decay.
   */
  double decay;
} SamSettings;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 Usual values: the radius, `eta`, `alpha` and `k` of the method's paper, SGD with a rate of 0.1 and a momentum of 0.9, Adam with
 a rate of 0.001 and its paper's shares, no weight decay.
 */
SamSettings sam_settings(uint32_t method,
                         uint32_t base);

/*
 What a status says, as a sentence that ends in NUL and lives for ever. Any number may be asked for.
 */
const char *sam_status_text(int32_t status);

/*
 Bytes of memory that a handle needs.
 */
size_t sam_f32_size(void);

/*
 What the address of that memory must be a multiple of: a power of two, at most 16.
 */
size_t sam_f32_align(void);

/*
 Numbers that the buffer must have for `n` weights; `SIZE_MAX` if there is no such method or base optimizer, the pointer is null or
 no memory holds as many.
 */
size_t sam_f32_words(const SamSettings *settings,
                     size_t n);

/*
 Makes a handle in `memory` of `size` bytes, with a `buffer` of `words` numbers that it keeps, and puts it into `handle`. There is
 nothing to free: the lender takes both back when the handle is not used any more.
 `buffer` need not be initialised.
 */
SamStatus sam_f32_init(void *memory,
                       size_t size,
                       const SamSettings *settings,
                       float *buffer,
                       size_t words,
                       size_t n,
                       SamF32 **handle);

/*
 First half of a step: `g` is the gradient at `w`, which is scratch space afterwards, `loss` the loss there (0 if nobody knows it).
 Answers `SAM_STATUS_GRADIENT` if a second gradient is wanted, at `sam_f32_perturbed`, else what came of the step.
 */
SamStatus sam_f32_begin(SamF32 *sam,
                        float *w,
                        float *g,
                        float loss);

/*
 Where the second gradient is wanted: as many numbers as there are weights, where the buffer begins. The pointer is the same in all
 steps; what it points to is of use from `begin` to the end of the step. NULL if the handle is.
 */
const float *sam_f32_perturbed(const SamF32 *sam);

/*
 Second half of a step: `g` is the gradient at `sam_f32_perturbed`, `loss` the loss there (0 if nobody knows it). `w` is the pointer
 that `begin` got; another one is refused, and the step waits on.
 */
SamStatus sam_f32_finish(SamF32 *sam,
                         float *w,
                         float *g,
                         float loss);

/*
 Gives a step up that was begun. Weights and state are as before it.
 */
SamStatus sam_f32_cancel(SamF32 *sam);

/*
 Dual norm of the latest step's first gradient; NaN before the first step and for NULL.
 */
double sam_f32_norm(const SamF32 *sam);

/*
 The learning rate of the next step; NaN for NULL.
 */
float sam_f32_lr(const SamF32 *sam);

/*
 Changes the learning rate of the steps to come.
 */
SamStatus sam_f32_set_lr(SamF32 *sam, double lr);

/*
 Changes the radius of the steps to come.
 */
SamStatus sam_f32_set_rho(SamF32 *sam, double rho);

/*
 Numbers of the state that outlives a step; 0 for NULL.
 */
size_t sam_f32_state_reals(const SamF32 *sam);

/*
 Counters of the state that outlives a step; 0 for NULL.
 */
size_t sam_f32_state_counts(const SamF32 *sam);

/*
 Copies the state out, between two steps: as many numbers and counters as `sam_f32_state_reals` and `sam_f32_state_counts` say.
 Neither pointer may be null, also where nothing is written to it.
 */
SamStatus sam_f32_save(const SamF32 *sam,
                       float *reals,
                       uint64_t *counts);

/*
 Copies a state in, between two steps, that a handle with the same settings and as many weights gave: the steps to come have the bits
 of those that one would have made.
 */
SamStatus sam_f32_load(SamF32 *sam,
                       const float *reals,
                       const uint64_t *counts);

/*
 Bytes of memory that a handle needs.
 */
size_t sam_f64_size(void);

/*
 What the address of that memory must be a multiple of: a power of two, at most 16.
 */
size_t sam_f64_align(void);

/*
 Numbers that the buffer must have for `n` weights; `SIZE_MAX` if there is no such method or base optimizer, the pointer is null or
 no memory holds as many.
 */
size_t sam_f64_words(const SamSettings *settings,
                     size_t n);

/*
 Makes a handle in `memory` of `size` bytes, with a `buffer` of `words` numbers that it keeps, and puts it into `handle`. There is
 nothing to free: the lender takes both back when the handle is not used any more.
 `buffer` need not be initialised.
 */
SamStatus sam_f64_init(void *memory,
                       size_t size,
                       const SamSettings *settings,
                       double *buffer,
                       size_t words,
                       size_t n,
                       SamF64 **handle);

/*
 First half of a step: `g` is the gradient at `w`, which is scratch space afterwards, `loss` the loss there (0 if nobody knows it).
 Answers `SAM_STATUS_GRADIENT` if a second gradient is wanted, at `sam_f64_perturbed`, else what came of the step.
 */
SamStatus sam_f64_begin(SamF64 *sam,
                        double *w,
                        double *g,
                        double loss);

/*
 Where the second gradient is wanted: as many numbers as there are weights, where the buffer begins. The pointer is the same in all
 steps; what it points to is of use from `begin` to the end of the step. NULL if the handle is.
 */
const double *sam_f64_perturbed(const SamF64 *sam);

/*
 Second half of a step: `g` is the gradient at `sam_f64_perturbed`, `loss` the loss there (0 if nobody knows it). `w` is the pointer
 that `begin` got; another one is refused, and the step waits on.
 */
SamStatus sam_f64_finish(SamF64 *sam,
                         double *w,
                         double *g,
                         double loss);

/*
 Gives a step up that was begun. Weights and state are as before it.
 */
SamStatus sam_f64_cancel(SamF64 *sam);

/*
 Dual norm of the latest step's first gradient; NaN before the first step and for NULL.
 */
double sam_f64_norm(const SamF64 *sam);

/*
 The learning rate of the next step; NaN for NULL.
 */
double sam_f64_lr(const SamF64 *sam);

/*
 Changes the learning rate of the steps to come.
 */
SamStatus sam_f64_set_lr(SamF64 *sam, double lr);

/*
 Changes the radius of the steps to come.
 */
SamStatus sam_f64_set_rho(SamF64 *sam, double rho);

/*
 Numbers of the state that outlives a step; 0 for NULL.
 */
size_t sam_f64_state_reals(const SamF64 *sam);

/*
 Counters of the state that outlives a step; 0 for NULL.
 */
size_t sam_f64_state_counts(const SamF64 *sam);

/*
 Copies the state out, between two steps: as many numbers and counters as `sam_f64_state_reals` and `sam_f64_state_counts` say.
 Neither pointer may be null, also where nothing is written to it.
 */
SamStatus sam_f64_save(const SamF64 *sam,
                       double *reals,
                       uint64_t *counts);

/*
 Copies a state in, between two steps, that a handle with the same settings and as many weights gave: the steps to come have the bits
 of those that one would have made.
 */
SamStatus sam_f64_load(SamF64 *sam,
                       const double *reals,
                       const uint64_t *counts);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SAM_CORE_H */
