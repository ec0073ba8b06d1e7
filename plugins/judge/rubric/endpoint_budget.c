/* endpoint_budget.c - see endpoint_budget.h. */
#include "endpoint_budget.h"

#include <string.h>

static uint64_t mul(uint64_t a, uint64_t b)
{
    return a && b > BUDGET_NONE / a ? BUDGET_NONE : a * b;
}

static uint64_t add(uint64_t a, uint64_t b)
{
    return b > BUDGET_NONE - a ? BUDGET_NONE : a + b;
}

void budget_add(budget_sum *to, const budget_sum *more)
{
    to->calls = add(to->calls, more->calls);
    to->tokens = add(to->tokens, more->tokens);
    to->money = add(to->money, more->money);
}

void budget_init(budget *b)
{
    memset(b, 0, sizeof *b);
    pthread_mutex_init(&b->lock, NULL);
    b->limit = (budget_sum){BUDGET_NONE, BUDGET_NONE, BUDGET_NONE};
    b->ns = BUDGET_NONE;
}

void budget_release(budget *b)
{
    pthread_mutex_destroy(&b->lock);
}

uint64_t budget_price(const budget *b, uint64_t tokens_in, uint64_t tokens_out)
{
    return add(mul(tokens_in, b->price_in), mul(tokens_out, b->price_out));
}

/* What is left of one limit. */
static uint64_t left(uint64_t limit, uint64_t used, uint64_t reserved)
{
    const uint64_t gone = add(used, reserved);
    return limit == BUDGET_NONE ? BUDGET_NONE : gone < limit ? limit - gone : 0;
}

static budget_sum all_left(const budget *b)
{
    return (budget_sum){left(b->limit.calls, b->used.calls, b->reserved.calls),
                        left(b->limit.tokens, b->used.tokens, b->reserved.tokens),
                        left(b->limit.money, b->used.money, b->reserved.money)};
}

/* How many tries of the size (tokens, money) fit. */
static uint64_t fit(const budget_sum *l, uint64_t tokens, uint64_t money)
{
    uint64_t n = l->calls;
    if (l->tokens != BUDGET_NONE && tokens && l->tokens / tokens < n)
        n = l->tokens / tokens;
    if (l->money != BUDGET_NONE && money && l->money / money < n)
        n = l->money / money;
    return n;
}

size_t budget_reserve(budget *b, const budget_worst *w, size_t n, uint32_t tries, uint64_t *sends,
                      budget_sum *taken)
{
    uint64_t tokens = 0, money = 0, tries_of_all = 0;
    size_t k = 0;
    pthread_mutex_lock(&b->lock);
    const budget_sum l = all_left(b);
    while (k < n) {
        const uint64_t t = add(w[k].tokens_in, w[k].tokens_out);
        const uint64_t m = budget_price(b, w[k].tokens_in, w[k].tokens_out);
        const uint64_t most_t = t > tokens ? t : tokens, most_m = m > money ? m : money;
        const uint64_t room = fit(&l, most_t, most_m);
        if (room < k + 1)
            break;
        tokens = most_t;
        money = most_m;
        tries_of_all = room;
        k++;
    }
    if (k) {
        const uint64_t wanted = mul(k, tries ? tries : 1);
        *sends = tries_of_all < wanted ? tries_of_all : wanted;
        *taken = (budget_sum){*sends, mul(*sends, tokens), mul(*sends, money)};
        budget_add(&b->reserved, taken);
    }
    pthread_mutex_unlock(&b->lock);
    return k;
}

int budget_settle(budget *b, const budget_sum *taken, const budget_sum *used)
{
    pthread_mutex_lock(&b->lock);
    b->reserved.calls -= taken->calls;
    b->reserved.tokens -= taken->tokens;
    b->reserved.money -= taken->money;
    budget_add(&b->used, used);
    pthread_mutex_unlock(&b->lock);
    return used->tokens > taken->tokens || used->money > taken->money || used->calls > taken->calls;
}

uint64_t budget_time_left(budget *b)
{
    pthread_mutex_lock(&b->lock);
    const uint64_t ns = left(b->ns, b->ns_used, 0);
    pthread_mutex_unlock(&b->lock);
    return ns;
}

void budget_waited(budget *b, uint64_t ns)
{
    pthread_mutex_lock(&b->lock);
    b->ns_used = add(b->ns_used, ns);
    pthread_mutex_unlock(&b->lock);
}

const char *budget_short_of(budget *b, const budget_worst *w)
{
    const char *name = NULL;
    pthread_mutex_lock(&b->lock);
    const budget_sum l = all_left(b);
    if (l.calls == 0)
        name = "calls";
    else if (l.tokens < add(w->tokens_in, w->tokens_out))
        name = "tokens";
    else if (l.money < budget_price(b, w->tokens_in, w->tokens_out))
        name = "money";
    else if (left(b->ns, b->ns_used, 0) == 0)
        name = "seconds";
    pthread_mutex_unlock(&b->lock);
    return name;
}
