/* quant.h - f32 values to ggml's block formats: the encoders behind the type table's `narrow`.
 *
 * Each takes n blocks of 32 values (256 for the K types and IQ4_XS) and writes n blocks of the format's
 * bytes, as ggml does without an importance matrix: the search is over scales (and minima), each value
 * weighing by its own size. Values must be finite and of magnitude HONE_QUANT_MAX at most; others give
 * blocks without meaning, never undefined behaviour. Results depend on the values alone.
 *
 * Does not: choose types (core/nn/convert), read (core/nn/dequant). */
#ifndef HONE_CORE_NN_QUANT_H
#define HONE_CORE_NN_QUANT_H
#include <stddef.h>
#include <stdint.h>

#define HONE_QUANT_MAX 65504.0f /* the largest f16: scales are kept in it */

void hone__quant_q4_0(const float *src, unsigned char *dst, size_t n);
void hone__quant_q4_1(const float *src, unsigned char *dst, size_t n);
void hone__quant_q5_0(const float *src, unsigned char *dst, size_t n);
void hone__quant_q5_1(const float *src, unsigned char *dst, size_t n);
void hone__quant_q8_0(const float *src, unsigned char *dst, size_t n);
void hone__quant_iq4_nl(const float *src, unsigned char *dst, size_t n);
void hone__quant_iq4_xs(const float *src, unsigned char *dst, size_t n);
void hone__quant_q2_k(const float *src, unsigned char *dst, size_t n);
void hone__quant_q3_k(const float *src, unsigned char *dst, size_t n);
void hone__quant_q4_k(const float *src, unsigned char *dst, size_t n);
void hone__quant_q5_k(const float *src, unsigned char *dst, size_t n);
void hone__quant_q6_k(const float *src, unsigned char *dst, size_t n);

/* The 16 values of a non-linear 4-bit code, ascending. */
extern const int8_t hone__iq4_values[16];
#endif
