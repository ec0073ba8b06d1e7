/* endpoint_budget.h - what may still be asked of an endpoint, counted in whole numbers.
 *
 * Key idea: reserve before sending, settle afterwards. What a wave of requests can take at most is taken out of the budget
 * before the first byte leaves, so nothing that is under way, however much at once, can pass a limit; what it did not take
 * is given back when the answers are there. Money is counted in picos (10^-12) of the currency: prices per million tokens with six
 * digits behind the point are whole then, and sums are exact.
 *
 * A try counts as a call when it leaves. It takes the tokens that the server counted; a try without an answer takes the most
 * it can have, since the server may have done the work; one that the server answered with an error takes none. */
#ifndef HONE_RUBRIC_ENDPOINT_BUDGET_H
#define HONE_RUBRIC_ENDPOINT_BUDGET_H
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define BUDGET_NONE UINT64_MAX
#define BUDGET_PICO 1e12

/* The most that one try of a request can take. */
typedef struct budget_worst {
    uint64_t tokens_in, tokens_out;
} budget_worst;

typedef struct budget_sum {
    uint64_t calls, tokens, money;
} budget_sum;

typedef struct budget {
    pthread_mutex_t lock;
    budget_sum limit, used, reserved; /* BUDGET_NONE: no limit */
    uint64_t ns, ns_used;             /* of waiting for answers */
    uint64_t price_in, price_out;     /* picos a token */
} budget;

void budget_init(budget *b); /* no limits, no prices */
void budget_release(budget *b);
/* What so many tokens cost, in picos; BUDGET_NONE at most. */
uint64_t budget_price(const budget *b, uint64_t tokens_in, uint64_t tokens_out);

/* How many of the n requests, from the first on, may be sent now, with at most *sends tries of all of them together (each
 * up to `tries` times): *taken is reserved for them. 0: not even the first one. */
size_t budget_reserve(budget *b, const budget_worst *w, size_t n, uint32_t tries, uint64_t *sends,
                      budget_sum *taken);
/* Gives `taken` back and counts what was used. 1: more was used than was taken (a server that counts more than it may). */
int budget_settle(budget *b, const budget_sum *taken, const budget_sum *used);
/* Sums that end at UINT64_MAX. */
void budget_add(budget_sum *to, const budget_sum *more);
/* Nanoseconds left; BUDGET_NONE: no limit. And the waiting that was done. */
uint64_t budget_time_left(budget *b);
void budget_waited(budget *b, uint64_t ns);
/* The name of the limit that stands in the way of the request: "calls", "tokens", "money", "seconds"; NULL: none does. */
const char *budget_short_of(budget *b, const budget_worst *w);
#endif
