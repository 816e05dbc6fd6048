/*
 * Arithmetic over edge values, one line per family: a digest of every result with the flags it raised, and the last
 * value. The same static program runs on the host's CPU and in the guest; whatever is printed has to agree.
 */
#include <fenv.h>
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof *(list))

static uint64_t digest;
static unsigned results;

static void take(const void *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) digest = (digest ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3;
  results++;
}
static void take64(uint64_t value) { take(&value, 8); }
static void family(const char *name) {
  printf("%-12s %7u %016llx\n", name, results, (unsigned long long)digest);
  digest = 0xcbf29ce484222325;
  results = 0;
}

static const uint64_t integers[] = {
    0, 1, 2, 3, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
    0x7fffffffffffffff, 0x8000000000000000, 0x8000000000000001, 0xfffffffffffffffe, 0xffffffffffffffff,
    0x0123456789abcdef, 0xaaaaaaaaaaaaaaaa, 0x5555555555555555, 0xdeadbeefcafef00d};

/* The flags in `mask` are those that the instruction defines. Without a red zone: the code pushes. */
#define TWO(op, mask)                                                                                             \
  do {                                                                                                            \
    uint64_t r = a, f;                                                                                            \
    __asm__ volatile("xor %%eax, %%eax\n\t" op "\n\tpushfq\n\tpop %1" : "+r"(r), "=&r"(f) : "r"(b) : "rax", "cc"); \
    take64(r);                                                                                                    \
    take64(f & (mask));                                                                                           \
  } while (0)

static void integer(void) {
  for (size_t i = 0; i < COUNT(integers); i++)
    for (size_t j = 0; j < COUNT(integers); j++) {
      uint64_t a = integers[i], b = integers[j];
      TWO("add %2, %0", 0x8d5);
      TWO("sub %2, %0", 0x8d5);
      TWO("adc %2, %0", 0x8d5);
      TWO("stc; sbb %2, %0", 0x8d5);
      TWO("add %k2, %k0", 0x8d5);
      TWO("sub %w2, %w0", 0x8d5);
      TWO("and %2, %0", 0x8c5);
      TWO("imul %2, %0", 0x801);
      TWO("imul %w2, %w0", 0x801);
      TWO("bt %2, %0", 1);
      TWO("btc %2, %0", 1);
      TWO("popcnt %2, %0", 0x8d5);
      TWO("tzcnt %2, %0", 0x41);
      TWO("lzcnt %2, %0", 0x41);
      TWO("andn %2, %0, %0", 0x8c1);
      TWO("bextr %2, %0, %0", 0x841);
      TWO("bzhi %2, %0, %0", 0x8c1);
      TWO("pdep %2, %0, %0", 0);
      TWO("pext %2, %0, %0", 0);
      TWO("movbe %2, -8(%%rsp); mov -8(%%rsp), %0", 0);
      take64(_mm_crc32_u64(a, b));
      unsigned __int128 product = (unsigned __int128)a * b;
      take(&product, 16);
      __int128 signedProduct = (__int128)(int64_t)a * (int64_t)b;
      take(&signedProduct, 16);
      if (b) {
        take64(a / b);
        take64(a % b);
        unsigned __int128 wide = ((unsigned __int128)(a % b) << 64) | integers[(i + j) % COUNT(integers)];
        uint64_t q, r;
        __asm__("divq %4" : "=a"(q), "=d"(r) : "0"((uint64_t)wide), "1"((uint64_t)(wide >> 64)), "r"(b) : "cc");
        take64(q);
        take64(r);
        if (!((int64_t)a == INT64_MIN && b == UINT64_MAX)) take64((uint64_t)((int64_t)a / (int64_t)b));
      }
      unsigned n = b & 63;
      take64(a << n);
      take64(a >> n);
      take64((uint64_t)((int64_t)a >> n));
      take64(n ? a << n | a >> (64 - n) : a);
      uint64_t d = a;
      __asm__("shldq %%cl, %1, %0" : "+r"(d) : "r"(b), "c"(n) : "cc");
      take64(d);
    }
  family("integer");
}

static const uint64_t doubles[] = {
    0, 0x8000000000000000, 1, 0x8000000000000001, 0xfffffffffffff, 0x10000000000000, 0x10000000000001,
    0x3ff0000000000000, 0xbff0000000000000, 0x3ff0000000000001, 0x3fefffffffffffff, 0x4000000000000000,
    0x3fe0000000000000, 0x3fd5555555555555, 0x400921fb54442d18, 0x41dfffffffc00000, 0x41e0000000000000,
    0xc1e0000000200000, 0x433fffffffffffff, 0x43e0000000000000, 0xc3e0000000000000, 0x7fefffffffffffff,
    0xffefffffffffffff, 0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000, 0xfff8000000000001,
    0x7ff0000000000001, 0xfff4000000000000, 0x3ca0000000000000, 0x1e50000000000000, 0x5fe0000000000000};

static const unsigned modes[] = {0x0000, 0x2000, 0x4000, 0x6000, 0x8000, 0x0040, 0x8040 | 0x6000};

#define VECTOR(expression)                  \
  do {                                      \
    _mm_setcsr(0x1f80 | modes[m]);          \
    __asm__ volatile("" : "+x"(a), "+x"(b)); \
    __typeof__(expression) r = expression;  \
    __asm__ volatile("" : "+x"(r));         \
    take(&r, sizeof r);                     \
    take64(_mm_getcsr() & 0x3f);            \
  } while (0)
#define COMPARE(expression)                 \
  do {                                      \
    _mm_setcsr(0x1f80 | modes[m]);          \
    __asm__ volatile("" : "+x"(a), "+x"(b)); \
    int64_t r = expression;                 \
    __asm__ volatile("" : "+r"(r));         \
    take64((uint64_t)r);                    \
    take64(_mm_getcsr() & 0x3f);            \
  } while (0)

static void sse(void) {
  for (size_t m = 0; m < COUNT(modes); m++)
    for (size_t i = 0; i < COUNT(doubles); i++)
      for (size_t j = 0; j < COUNT(doubles); j++) {
        __m128d a = _mm_castsi128_pd(_mm_set1_epi64x((int64_t)doubles[i]));
        __m128d b = _mm_castsi128_pd(_mm_set1_epi64x((int64_t)doubles[j]));
        VECTOR(_mm_add_pd(a, b));
        VECTOR(_mm_sub_pd(a, b));
        VECTOR(_mm_mul_pd(a, b));
        VECTOR(_mm_div_sd(a, b));
        VECTOR(_mm_sqrt_pd(b));
        VECTOR(_mm_min_pd(a, b));
        VECTOR(_mm_max_sd(a, b));
        VECTOR(_mm_cmp_pd(a, b, _CMP_NGE_UQ));
        VECTOR(_mm_cvtpd_ps(a));
        VECTOR(_mm_round_pd(a, 4));
        VECTOR(_mm_dp_pd(a, b, 0x33));
        VECTOR(_mm_hadd_pd(a, b));
        COMPARE(_mm_cvtsd_si64(a));
        COMPARE(_mm_cvttsd_si32(b));
        COMPARE(_mm_comilt_sd(a, b));
        COMPARE(_mm_ucomieq_sd(a, b));
      }
  _mm_setcsr(0x1f80);
  family("sse double");
  for (size_t m = 0; m < COUNT(modes); m++)
    for (size_t i = 0; i < COUNT(doubles); i++)
      for (size_t j = 0; j < COUNT(doubles); j++) {
        /* the upper and lower half of an edge double are both a float worth trying */
        uint32_t x = (uint32_t)(doubles[i] >> 32 ^ doubles[i]), y = (uint32_t)(doubles[j] >> 32);
        __m128 a = _mm_castsi128_ps(_mm_set_epi32((int)(x << 1), (int)~x, (int)(y ^ 0x80000000), (int)x));
        __m128 b = _mm_castsi128_ps(_mm_set1_epi32((int)y));
        VECTOR(_mm_add_ps(a, b));
        VECTOR(_mm_sub_ss(a, b));
        VECTOR(_mm_mul_ps(a, b));
        VECTOR(_mm_div_ps(a, b));
        VECTOR(_mm_sqrt_ps(a));
        VECTOR(_mm_min_ps(a, b));
        VECTOR(_mm_cvtps_pd(a));
        VECTOR(_mm_cvtps_epi32(a));
        VECTOR(_mm_cvttps_epi32(b));
        VECTOR(_mm_cvtph_ps(_mm_castps_si128(a)));
        VECTOR(_mm_cvtps_ph(a, 4));
        VECTOR(_mm_dp_ps(a, b, 0xf1));
      }
  _mm_setcsr(0x1f80);
  family("sse single");
}

static void avx(void) {
  for (size_t m = 0; m < COUNT(modes); m++)
    for (size_t i = 0; i < COUNT(doubles); i++)
      for (size_t j = 0; j < COUNT(doubles); j++) {
        __m256d a = _mm256_castsi256_pd(_mm256_set_epi64x((int64_t)doubles[i], (int64_t)doubles[j],
            (int64_t)doubles[(i + 7) % COUNT(doubles)], (int64_t)doubles[(i + j) % COUNT(doubles)]));
        __m256d b = _mm256_castsi256_pd(_mm256_set1_epi64x((int64_t)doubles[j]));
        const __m256d c = _mm256_castsi256_pd(_mm256_set1_epi64x((int64_t)doubles[(3 * i + j) % COUNT(doubles)]));
        VECTOR(_mm256_fmadd_pd(a, b, c));
        VECTOR(_mm256_fnmadd_pd(a, b, c));
        VECTOR(_mm256_fmaddsub_pd(a, b, c));
        VECTOR(_mm256_fmsub_ps(_mm256_castpd_ps(a), _mm256_castpd_ps(b), _mm256_castpd_ps(c)));
        VECTOR(_mm256_addsub_pd(a, b));
        VECTOR(_mm256_div_ps(_mm256_castpd_ps(a), _mm256_castpd_ps(b)));
        VECTOR(_mm256_blendv_pd(a, b, c));
      }
  _mm_setcsr(0x1f80);
  family("avx fma");
  for (size_t i = 0; i < COUNT(doubles); i++)
    for (size_t j = 0; j < COUNT(integers); j++) {
      const __m256i a = _mm256_set_epi64x((int64_t)doubles[i], (int64_t)integers[j], (int64_t)~integers[j],
          (int64_t)(doubles[i] * 0x9e3779b97f4a7c15));
      const __m256i b = _mm256_set_epi64x((int64_t)integers[j], (int64_t)(doubles[i] >> 3),
          (int64_t)(integers[j] * 0x9e3779b97f4a7c15), (int64_t)doubles[i]);
#define INTEGER(expression)                 \
  do {                                      \
    __m256i r = expression;                 \
    __asm__ volatile("" : "+x"(r));         \
    take(&r, sizeof r);                     \
  } while (0)
      INTEGER(_mm256_adds_epi16(a, b));
      INTEGER(_mm256_subs_epu8(a, b));
      INTEGER(_mm256_madd_epi16(a, b));
      INTEGER(_mm256_maddubs_epi16(a, b));
      INTEGER(_mm256_mulhrs_epi16(a, b));
      INTEGER(_mm256_mullo_epi32(a, b));
      INTEGER(_mm256_mul_epu32(a, b));
      INTEGER(_mm256_sad_epu8(a, b));
      INTEGER(_mm256_shuffle_epi8(a, b));
      INTEGER(_mm256_packs_epi32(a, b));
      INTEGER(_mm256_packus_epi16(a, b));
      INTEGER(_mm256_alignr_epi8(a, b, 5));
      INTEGER(_mm256_sllv_epi64(a, b));
      INTEGER(_mm256_srav_epi32(a, b));
      INTEGER(_mm256_permutevar8x32_epi32(a, b));
      INTEGER(_mm256_cmpgt_epi64(a, b));
      INTEGER(_mm256_mpsadbw_epu8(a, b, 0x2d));
      INTEGER(_mm256_sign_epi16(a, b));
      INTEGER(_mm256_abs_epi32(a));
      INTEGER(_mm256_bsrli_epi128(a, 3));
#define HALF(expression)                    \
  do {                                      \
    __m128i r = expression;                 \
    take(&r, sizeof r);                     \
  } while (0)
      const __m128i x = _mm256_castsi256_si128(a), y = _mm256_extracti128_si256(b, 1);
      HALF(_mm_aesenc_si128(x, y));
      HALF(_mm_aesdeclast_si128(x, y));
      HALF(_mm_aeskeygenassist_si128(x, 0x1b));
      HALF(_mm_clmulepi64_si128(x, y, 0x10));
      HALF(_mm_minpos_epu16(x));
      take64((uint64_t)_mm_cmpestri(x, 11, y, 16, _SIDD_CMP_RANGES));
      take64((uint64_t)_mm_cmpistri(y, x, _SIDD_CMP_EQUAL_ORDERED | _SIDD_UWORD_OPS));
    }
  family("avx2 integer");
}

#define X87(text, extra)                                                                    \
  do {                                                                                      \
    long double r;                                                                          \
    uint16_t status;                                                                        \
    __asm__ volatile("fninit\n\tfldcw %2\n\tfldt %4\n\tfldt %3\n\t" text "\n\tfstp %%st(1)\n\t" \
                     "fnstsw %1\n\tfstpt %0\n\tfninit"                                      \
                     : "=m"(r), "=a"(status)                                                \
                     : "m"(control), "m"(a), "m"(b)                                         \
                     : "st", "st(1)", "st(2)", "cc");                                       \
    take(&r, 10);                                                                           \
    take64(status & (extra));                                                               \
  } while (0)

struct extended { uint64_t mantissa; uint16_t sign_exponent; };
static const struct extended extendeds[] = {
    {0, 0}, {0, 0x8000}, {1, 0}, {1, 0x8000}, {0x7fffffffffffffff, 0}, {0x8000000000000000, 0}, {0x8000000000000000, 1},
    {0xffffffffffffffff, 1}, {0x8000000000000000, 0x3fff}, {0x8000000000000000, 0xbfff}, {0x8000000000000001, 0x3fff},
    {0xffffffffffffffff, 0x3ffe}, {0xc90fdaa22168c235, 0x4000}, {0xaaaaaaaaaaaaaaab, 0x3ffd}, {0x8000000000000000, 0x3fc0},
    {0x8000000000000000, 0x3fbf}, {0xfffffffffffff800, 0x43fe}, {0xfffffffffffffc00, 0x43fe}, {0x8000000000000000, 0x3c00},
    {0xffffffffffffffff, 0x403d}, {0x8000000000000000, 0xc03e}, {0xffffffffffffffff, 0x7ffe}, {0xffffffffffffffff, 0xfffe},
    {0x8000000000000000, 0x7fff}, {0x8000000000000000, 0xffff}, {0xc000000000000000, 0xffff}, {0xa000000000000001, 0x7fff},
    {0x9000000000000000, 0xffff}};

static void x87(void) {
  static const uint16_t controls[] = {0x37f, 0x77f, 0xb7f, 0xf7f, 0x27f, 0x67f, 0x07f, 0xa7f};
  for (size_t c = 0; c < COUNT(controls); c++)
    for (size_t i = 0; i < COUNT(extendeds); i++)
      for (size_t j = 0; j < COUNT(extendeds); j++) {
        uint16_t control = controls[c];
        long double a = 0, b = 0;
        memcpy(&a, &extendeds[i], 10);
        memcpy(&b, &extendeds[j], 10);
        X87("fadd %%st(1)", 0x7f);
        X87("fsub %%st(1)", 0x7f);
        X87("fmul %%st(1)", 0x7f);
        X87("fdiv %%st(1)", 0x7f);
        X87("fprem", 0x7f);
        X87("fprem1", 0x7f);
        X87("fscale", 0x7f);
        X87("fcom %%st(1)", 0x457f);
        if (j) continue;
        X87("fsqrt", 0x7f);
        X87("frndint", 0x7f);
        X87("fxam", 0x477f);
        X87("fchs", 0x7f);
        X87("fxtract", 0x7f);
        X87("fstpl -16(%%rsp)\n\tfldl -16(%%rsp)", 0x7f);
        X87("fstps -16(%%rsp)\n\tflds -16(%%rsp)", 0x7f);
        X87("fistpll -16(%%rsp)\n\tfildll -16(%%rsp)", 0x7f);
        X87("fisttpl -16(%%rsp)\n\tfildl -16(%%rsp)", 0x7f);
        X87("fbstp -16(%%rsp)\n\tfbld -16(%%rsp)", 0x7f);
      }
  family("x87");
}

static void library(void) {
  static const int rounding[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
  double sum = 0;
  for (int i = 1; i <= 200; i++) {
    double x = i * 0.37 - 31.5;
    sum += sin(x) * exp(x / 20) + cbrt(x) - atan2(x, i) + fma(x, 1e10, -i) + log(i) * pow(1.01, x) + tgamma(1 + i / 50.0);
    take(&sum, sizeof sum);
  }
  for (size_t i = 0; i < COUNT(rounding); i++) {
    fesetround(rounding[i]);
    long double third = 1.0L / (long double)(i + 3);
    printf("%.17g %.20Lg %La %.9f\n", sum / 3, third, third, (double)(float)sum);
  }
  fesetround(FE_TONEAREST);
  char text[64];
  for (size_t i = 0; i < COUNT(doubles); i++) {
    double d;
    memcpy(&d, &doubles[i], 8);
    take(text, (size_t)snprintf(text, sizeof text, "%.15g %a", d, d));
  }
  family("library");
}

int main(void) {
  digest = 0xcbf29ce484222325;
  integer();
  sse();
  avx();
  x87();
  library();
  return 0;
}
