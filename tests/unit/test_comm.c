/* test_comm.c - several ranks: sums in one order, training with the bits of one rank, checkpoints in shards. */
#include "comm_threads.h"
#include "components.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/hash.h"
#include "ops/matmul.h"
#include "nn/value_head.h"
#include "train/checkpoint.h"
#include "train/update.h"

#include <math.h>

/* ---- exchanges ---------------------------------------------------------------------------------------- */

enum { CHUNKS = 23 };

/* Values whose sum depends on the order. */
static double chunk(size_t i)
{
    return (i % 3 ? 1.0 : -1.0) * pow(10.0, (double)((i * 7) % 19)) / 3.0;
}

typedef struct split {
    size_t n_chunks[4], first[4], n[4];
    double out[4];
} split;

static hone_status sum_body(comm_rank *r)
{
    split *x = r->arg;
    double part[CHUNKS + 8];
    size_t at = x->first[r->comm.rank], n = x->n[r->comm.rank];
    for (size_t i = 0; i < n; i++)
        part[i] = chunk(at + i);
    return hone_comm_sum(&r->comm, x->n_chunks[r->comm.rank], at, n, part, &x->out[r->comm.rank]);
}

static void test_sum_has_the_same_bits_for_any_split(void **state)
{
    comm_rank ranks[4];
    double want = 0, backwards = 0, part[CHUNKS];
    static const size_t cuts[][5] = {
        /* size; chunks of each rank */
        {1, 23},      {2, 23, 0},    {2, 0, 23},      {2, 11, 12},      {3, 1, 21, 1},
        {3, 8, 8, 7}, {3, 0, 0, 23}, {4, 5, 0, 9, 9}, {4, 0, 23, 0, 0}, {4, 20, 1, 1, 1}};
    (void)state;
    for (size_t i = 0; i < CHUNKS; i++) {
        part[i] = chunk(i);
        want += chunk(i);
        backwards += chunk(CHUNKS - 1 - i);
    }
    assert_true(want != backwards); /* or the test would not see the order */
    double self;
    assert_ok(hone_comm_sum(hone_comm_self(), CHUNKS, 0, CHUNKS, part, &self));
    assert_true(self == want);
    for (size_t k = 0; k < sizeof cuts / sizeof *cuts; k++) {
        for (int turned = 0; turned < 2; turned++) { /* rank 0 first, rank 0 last */
            split x = {{0}, {0}, {0}, {0}};
            uint32_t size = (uint32_t)cuts[k][0];
            size_t at = 0;
            for (uint32_t i = 0; i < size; i++) {
                uint32_t r = turned ? size - 1 - i : i;
                x.n_chunks[r] = CHUNKS;
                x.first[r] = at;
                x.n[r] = cuts[k][1 + i];
                at += x.n[r];
            }
            comm_threads_run(ranks, size, sum_body, &x);
            for (uint32_t r = 0; r < size; r++) {
                assert_int_equal(ranks[r].status, HONE_OK);
                assert_memory_equal(&x.out[r], &want, sizeof want);
            }
        }
    }
}

static void test_sum_refuses_missing_and_doubled_chunks(void **state)
{
    comm_rank ranks[2];
    static const struct {
        size_t n_chunks[2], first[2], n[2];
        const char *text;
    } bad[] = {{{10, 10}, {0, 6}, {5, 4}, "chunk 5 of 10 is nobody's"},
               {{10, 10}, {0, 4}, {5, 6}, "chunk 4 of 10 is summed twice"},
               {{10, 10}, {0, 0}, {10, 10}, "summed twice"},
               {{10, 10}, {0, 5}, {5, 4}, "chunk 9 of 10 is nobody's"},
               {{10, 10}, {0, 5}, {5, 6}, "not there"},
               {{10, 11}, {0, 5}, {5, 6}, "rank 1 sums 11 chunks and rank 0 10"}};
    (void)state;
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        split x = {{0}, {0}, {0}, {7, 7, 0, 0}};
        memcpy(x.n_chunks, bad[k].n_chunks, sizeof bad[k].n_chunks);
        memcpy(x.first, bad[k].first, sizeof bad[k].first);
        memcpy(x.n, bad[k].n, sizeof bad[k].n);
        comm_threads_run(ranks, 2, sum_body, &x);
        for (int r = 0; r < 2; r++) {
            assert_int_equal(ranks[r].status, HONE_E_STATE);
            assert_non_null(strstr(ranks[r].error.what, bad[k].text));
            assert_true(x.out[r] == 7);
        }
    }
}

static hone_status fail_on_one(comm_rank *r)
{
    return hone_comm_agree(&r->comm,
                           r->comm.rank == 1 ? hone_fail(HONE_E_NO_SPACE, "disk of 1") : HONE_OK);
}

static hone_status differ_on_two(comm_rank *r)
{
    int32_t x = r->comm.rank == 2 ? 5 : 4;
    return hone_comm_same(&r->comm, &x, sizeof x, "a number");
}

static void test_all_ranks_learn_of_a_failure(void **state)
{
    comm_rank ranks[3];
    (void)state;
    comm_threads_run(ranks, 3, fail_on_one, NULL);
    assert_int_equal(ranks[1].status, HONE_E_NO_SPACE);
    assert_string_equal(ranks[1].error.what, "disk of 1");
    for (int r = 0; r < 3; r += 2) {
        assert_int_equal(ranks[r].status, HONE_E_FAIL);
        assert_non_null(strstr(ranks[r].error.what, "rank 1 of 3 failed"));
    }
    comm_threads_run(ranks, 3, differ_on_two, NULL);
    for (int r = 0; r < 3; r++) {
        assert_int_equal(ranks[r].status, HONE_E_STATE);
        assert_string_equal(ranks[r].error.what, "rank 2 has other bits than rank 0 in a number");
    }
}

static void test_shares_are_even_and_complete(void **state)
{
    (void)state;
    for (uint32_t size = 1; size < 9; size++) {
        for (size_t n = 0; n < 30; n++) {
            hone_comm c = {.size = size};
            size_t at = 0, first, count;
            for (uint32_t r = 0; r < size; r++) {
                hone_comm_share(&c, r, n, &first, &count);
                assert_int_equal(first, at);
                assert_true(count == n / size || count == n / size + 1);
                at += count;
            }
            assert_int_equal(at, n);
        }
    }
}

/* ---- slices ------------------------------------------------------------------------------------------- */

static void test_slices_are_whole_rows_and_cover_everything(void **state)
{
    static const int64_t shapes[][2] = {{100, 7}, {5, 0}, {33, 40}, {64, 3}, {300, 0}, {1, 1}};
    hone_params *p;
    (void)state;
    assert_ok(hone_params_create(&p));
    for (size_t i = 0; i < 6; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%zu", i);
        hone_param_spec spec = {.struct_size = sizeof spec,
                                .name = name,
                                .role = "x",
                                .rows = shapes[i][0],
                                .cols = shapes[i][1]};
        assert_true(hone_params_declare(p, &spec) >= 0);
    }
    assert_ok(hone_params_seal(p));
    hone_params_set_trainable(p, 3, 0); /* a hole in the flat array */
    for (uint32_t of = 1; of < 40; of++) {
        int64_t seen[6] = {0};
        size_t at = 0;
        for (uint32_t k = 0; k < of; k++) {
            hone_slice s = hone_params_slice(p, k, of);
            assert_true(s.begin == at && s.end >= at);
            at = s.end;
            size_t used = 0;
            for (int32_t i = 0; i < 6; i++) {
                const hone_param_item *it = hone_params_item(p, i);
                int64_t first, n;
                size_t place;
                if (!it->trainable)
                    continue;
                hone_params_slice_rows(it, s, &first, &n, &place);
                if (n == 0)
                    continue;
                assert_int_equal(first, seen[i]);
                assert_true(place >= used && place < s.end - s.begin);
                seen[i] += n;
                used = place + 1;
            }
        }
        assert_int_equal(at, hone_params_flat_length(p));
        for (int32_t i = 0; i < 6; i++)
            assert_int_equal(seen[i], i == 3 ? 0 : hone_params_item(p, i)->rows);
    }
    hone_params_destroy(p);
}

/* ---- training ----------------------------------------------------------------------------------------- */

#define CONFIG                                                                                     \
    "{\"model_type\":\"llama\",\"hidden_size\":64,\"intermediate_size\":152,"                      \
    "\"num_hidden_layers\":2,\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":16," \
    "\"vocab_size\":1531,\"tie_word_embeddings\":true,\"rms_norm_eps\":1e-5}"
enum { STEPS = 3, TREES = 5, SEQ = 2, LENGTH = 14 };

typedef struct recipe {
    int lora, whole; /* whole: the optimizer says that it wants whole matrices */
    int poison;      /* step whose advantages are not numbers, or 0 */
    int stray;       /* this rank gets another batch, or 0 */
    uint32_t head;   /* HONE_HEAD_* */
    const char *objective, *settings;
    const char *optimizer, *tune; /* adamw; its settings */
    const char *save, *load;      /* folders */
    size_t micro_tokens;
} recipe;

/* What a rank ends with. */
typedef struct outcome {
    uint64_t weights, logprobs, evaluated;
    size_t state_bytes;
    uint64_t version;
    char metrics[4096], manifest[8192];
} outcome;

typedef struct batch {
    int32_t prompt[TREES][4], ids[TREES][SEQ][LENGTH];
    float old[TREES][SEQ][LENGTH];
    hone_train_seq seqs[TREES][SEQ];
    hone_train_tree trees[TREES];
} batch;

static void fill(batch *b, int step, int poison)
{
    uint32_t x = 12345u + 977u * (uint32_t)step;
    for (uint32_t t = 0; t < TREES; t++) {
        for (int i = 0; i < 4; i++)
            b->prompt[t][i] = (int32_t)((x = x * 1664525u + 1013904223u) >> 8) % 1531;
        for (uint32_t q = 0; q < SEQ; q++) {
            for (int i = 0; i < LENGTH; i++) {
                b->ids[t][q][i] = (int32_t)((x = x * 1664525u + 1013904223u) >> 8) % 1531;
                b->old[t][q][i] = -7.3f + 0.01f * (float)i;
            }
            b->seqs[t][q] = (hone_train_seq){.ids = b->ids[t][q],
                                             .n = LENGTH - 2 * q - t,
                                             .sampler_logp = b->old[t][q],
                                             .seq_advantage = poison ? (double)NAN
                                                              : q    ? -0.7
                                                                     : 1.3,
                                             .group = t};
        }
        b->trees[t] = (hone_train_tree){
            .prompt = b->prompt[t], .n_prompt = 4, .seqs = b->seqs[t], .n_seqs = SEQ};
    }
}

static hone_status make_policy(hone_env *env, const recipe *x, hone_arena *a, hone_policy **out)
{
    const char *optimizer = x->tune ? x->tune : "{\"lr\":0.01,\"weight_decay\":0.01}";
    hone_value config, opt;
    hone_policy_config cfg = {.config = &config,
                              .optimizer = x->optimizer ? x->optimizer : "adamw",
                              .optimizer_config = &opt};
    cfg.seed = 3;
    cfg.value_head = x->head;
    cfg.lora = (hone_lora_config){.rank = x->lora, .seed = 5};
    HONE_TRY(hone_json_parse(CONFIG, strlen(CONFIG), "config", a, &config));
    HONE_TRY(hone_json_parse(optimizer, strlen(optimizer), "optimizer", a, &opt));
    return hone_policy_create(env, &cfg, out);
}

static hone_status load(hone_policy *p, const char *dir, hone_arena *a)
{
    hone_value manifest;
    char path[512];
    snprintf(path, sizeof path, "%s/entry.json", dir);
    HONE_TRY(hone_json_parse_file(path, 0, a, &manifest));
    HONE_TRY(hone_policy_restore(p, dir, "", &manifest));
    return hone_policy_state_read(p, &manifest);
}

static hone_status save(hone_policy *p, const char *dir, outcome *out)
{
    hone_buf b;
    hone_jw w;
    char path[512];
    hone_buf_init(&b, 1 << 20);
    hone_jw_init(&w, &b, 1);
    hone_status s = hone_policy_checkpoint(p, dir, "");
    if (s >= 0)
        s = hone_policy_state_write(p, "", &w);
    snprintf(path, sizeof path, "%s/entry.json", dir);
    if (s >= 0 && hone_env_comm(p->env)->rank == 0)
        s = hone_file_replace(path, b.ptr, b.len);
    if (s >= 0)
        snprintf(out->manifest, sizeof out->manifest, "%.*s", (int)b.len, b.ptr);
    hone_buf_release(&b);
    return s;
}

static hone_status steps(hone_policy *p, hone_policy *ref, const hone_update_params *u,
                         const recipe *x, outcome *out)
{
    static const int n = STEPS;
    float logp[TREES * SEQ * LENGTH] = {0};
    batch *b = hone_calloc(1, sizeof *b);
    hone_metrics m;
    hone_buf text;
    hone_jw w;
    double loss = 0;
    hone_status s = HONE_OK;
    hone_metrics_init(&m);
    hone_buf_init(&text, 1 << 20);
    hone_jw_init(&w, &text, 0);
    hone_jw_list(&w);
    for (int i = 1; s >= 0 && i <= n; i++) {
        int stray = x->stray && (uint32_t)x->stray == hone_env_comm(p->env)->rank;
        fill(b, i + 10 * stray, x->poison == i);
        hone_metrics_clear(&m);
        s = hone_policy_step(p, b->trees, TREES, u, &m);
        hone_jw_map(&w);
        hone_metrics_write(&m, &w);
        hone_jw_end(&w);
    }
    fill(b, 1, 0);
    hone_metrics_clear(&m);
    if (s >= 0)
        s = hone_policy_loss(p, b->trees, TREES, u, &loss, &m);
    if (s >= 0)
        s = hone_policy_logprobs(ref, b->trees, TREES, 1, HONE_ADAPTERS_ACTIVE, 40, logp);
    hone_jw_f64(&w, loss);
    hone_metrics_write(&m, &w);
    snprintf(out->metrics, sizeof out->metrics, "%.*s", (int)text.len, text.ptr);
    out->logprobs = hone_xxh64(logp, sizeof logp, 0);
    hone_buf_release(&text);
    hone_metrics_release(&m);
    hone_free(b);
    return s;
}

static hone_status train_body(comm_rank *r)
{
    const recipe *x = r->arg;
    outcome *out = r->result = hone_calloc(1, sizeof *out);
    hone_env env = {.comm = r->comm.size > 1 ? &r->comm : NULL};
    hone_policy *p = NULL, *ref = NULL;
    hone_instance *objective = NULL;
    hone_optimizer_v1 whole;
    hone_ref oref = {0};
    hone_arena a;
    hone_status s;
    hone_arena_init(&a, 0);
    pthread_mutex_lock(&r->board->lock); /* one registry for all, on one thread at a time */
    env.registry = shipped();
    s = hone_pool_create(1, &env.pool);
    if (s >= 0)
        s = make_policy(&env, x, &a, &p);
    if (s >= 0)
        s = hone_policy_copy(p, "reference", &ref);
    if (s >= 0)
        s = try_component(x->objective, x->settings, &objective);
    if (s >= 0)
        s = hone_instance_ref(objective, HONE_IFACE_OBJECTIVE, &oref);
    if (s >= 0 && x->whole) {
        whole = *p->optimizer->parts[0].vt;
        whole.flags = 0;
        p->optimizer->parts[0].vt = &whole;
        s = hone_optimizer_bind(p->optimizer, p->model->params, hone_env_comm(&env));
    }
    pthread_mutex_unlock(&r->board->lock);
    hone_update_params u = {.objective = oref.vt,
                            .objective_self = oref.self,
                            .objective_instance = objective,
                            .temperature = 1,
                            .lr = 0.01,
                            .clip = 0.5,
                            .max_length = LENGTH,
                            .micro_tokens = x->micro_tokens,
                            .reference = HONE_REF_MODEL,
                            .reference_policy = ref};
    if (s >= 0 && x->load)
        s = load(p, x->load, &a);
    if (s >= 0 && !x->load)
        s = steps(p, ref, &u, x, out);
    if (s >= 0)
        s = hone_policy_evaluation(p, 1);
    if (s >= 0)
        out->evaluated = hone_params_checksum(p->model->params);
    if (p)
        (void)hone_policy_evaluation(p, 0);
    if (s >= 0 && x->save)
        s = save(p, x->save, out);
    if (p) {
        out->weights = hone_params_checksum(p->model->params);
        out->version = p->version;
        out->state_bytes = p->optimizer->state.size;
    }
    hone_error failure = *hone_error_get();
    pthread_mutex_lock(&r->board->lock);
    hone_policy_destroy(ref);
    hone_policy_destroy(p);
    hone_instance_unref(objective);
    hone_pool_destroy(env.pool);
    pthread_mutex_unlock(&r->board->lock);
    hone_arena_release(&a);
    return s < 0 ? hone_error_set(&failure) : s;
}

static void train(comm_rank *ranks, uint32_t size, recipe *x)
{
    shipped(); /* opened on this thread */
    comm_threads_run(ranks, size, train_body, x);
}

static void forget(comm_rank *ranks, uint32_t size)
{
    for (uint32_t r = 0; r < size; r++)
        hone_free(ranks[r].result);
}

static void assert_same_training(recipe x)
{
    comm_rank one[1], many[3];
    train(one, 1, &x);
    const outcome *want = one[0].result;
    if (one[0].status < 0)
        fail_with("one rank: %s", one[0].error.what);
    for (uint32_t size = 2; size <= 3; size++) {
        size_t state = 0;
        train(many, size, &x);
        for (uint32_t r = 0; r < size; r++) {
            const outcome *got = many[r].result;
            if (many[r].status < 0)
                fail_with("rank %u of %u: %s", r, size, many[r].error.what);
            assert_string_equal(got->metrics, want->metrics);
            assert_true(got->weights == want->weights && got->logprobs == want->logprobs &&
                        got->evaluated == want->evaluated);
            assert_int_equal(got->version, want->version);
            state += got->state_bytes;
        }
        /* the ranks together hold the state once, or each the whole */
        if (x.optimizer && !x.whole) /* arrays of blocks are short: each begins on 64 bytes */
            assert_true(state >= want->state_bytes && state < want->state_bytes * 6 / 5);
        else
            assert_int_equal(state, want->state_bytes * (x.whole ? size : 1));
        forget(many, size);
    }
    forget(one, 1);
}

#define GRPO .objective = "org.hone.objective.grpo", .settings = "{\"beta\":0.1,\"entropy\":0.01}"

static void test_any_number_of_ranks_trains_the_same_bits(void **state)
{
    (void)state;
    assert_same_training((recipe){GRPO, .micro_tokens = 40});
}

static void test_ranks_train_an_adapter(void **state)
{
    (void)state; /* its flat array is shorter than a chunk: some ranks have no share of the norm */
    assert_same_training((recipe){GRPO, .micro_tokens = 40, .lora = 2});
}

static void test_ranks_train_a_head_of_one_number(void **state)
{
    (void)state;
    assert_same_training((recipe){.objective = "org.hone.objective.rm",
                                  .settings = "{\"center\":0.1}",
                                  .head = HONE_HEAD_REWARD,
                                  .micro_tokens = 40});
}

static void test_an_optimizer_of_whole_matrices_is_not_sliced(void **state)
{
    (void)state;
    assert_same_training((recipe){GRPO, .whole = 1, .micro_tokens = 4000});
}

#define ADAM8BIT                                                                                   \
    .optimizer = "adam8bit", .tune = "{\"lr\":0.01,\"min_size\":0,\"weight_decay\":0.01}"
#define SCHEDULE_FREE .optimizer = "schedule_free", .tune = "{\"lr\":0.01}"
#define MUON .whole = 1, .optimizer = "muon", .tune = "{\"lr\":0.01,\"weight_decay\":0.01}"

static void test_ranks_train_with_state_of_other_kinds(void **state)
{
    (void)state;
    assert_same_training((recipe){GRPO, ADAM8BIT, .micro_tokens = 4000});
    assert_same_training((recipe){GRPO, ADAM8BIT, .micro_tokens = 4000, .lora = 3});
    assert_same_training((recipe){GRPO, SCHEDULE_FREE, .micro_tokens = 4000});
    assert_same_training((recipe){GRPO, MUON, .micro_tokens = 4000});
}

static void test_ranks_skip_a_step_together(void **state)
{
    comm_rank ranks[3];
    recipe x = {GRPO, .micro_tokens = 40, .poison = 2};
    (void)state;
    assert_same_training(x);
    train(ranks, 3, &x);
    for (int r = 0; r < 3; r++) {
        const outcome *got = ranks[r].result;
        assert_int_equal(got->version, STEPS - 1);
        assert_non_null(strstr(got->metrics, "\"skipped\":1"));
    }
    forget(ranks, 3);
}

static void test_a_rank_with_another_batch_is_an_error(void **state)
{
    comm_rank ranks[3];
    recipe x = {GRPO, .micro_tokens = 40, .stray = 2};
    (void)state;
    train(ranks, 3, &x);
    for (int r = 0; r < 3; r++) {
        assert_int_equal(ranks[r].status, HONE_E_STATE);
        assert_string_equal(ranks[r].error.what,
                            "rank 2 has other bits than rank 0 in the batch of a step");
    }
    forget(ranks, 3);
}

/* ---- checkpoints in shards ---------------------------------------------------------------------------- */

static const char *folder(const char *name)
{
    const char *path = scratch_path(name);
    assert_ok(hone_mkdirs(path));
    return path;
}

static void assert_same_file(const char *a, const char *b, const char *name)
{
    char path[512], ha[65], hb[65];
    snprintf(path, sizeof path, "%s/%s", a, name);
    assert_ok(hone_sha256_file(path, ha));
    snprintf(path, sizeof path, "%s/%s", b, name);
    assert_ok(hone_sha256_file(path, hb));
    assert_string_equal(ha, hb);
}

/* The whole checkpoint by one rank, by three, and what one and two ranks make of the latter. */
static void assert_shards_come_back(const char *tag, recipe x, const char *weights)
{
    comm_rank ranks[3];
    char name[8][32];
    for (int i = 0; i < 5; i++)
        snprintf(name[i], sizeof name[i], "%s-%d", tag, i);
    const char *one = folder(name[0]), *three = folder(name[1]), *again = folder(name[2]),
               *two = folder(name[3]), *three_again = folder(name[4]);
    struct {
        uint32_t size;
        const char *load, *save;
    } run[] = {{1, NULL, one},
               {3, NULL, three},
               {1, three, again},
               {2, three, two},
               {3, two, three_again}};
    for (size_t i = 0; i < sizeof run / sizeof *run; i++) {
        x.load = run[i].load;
        x.save = run[i].save;
        train(ranks, run[i].size, &x);
        for (uint32_t r = 0; r < run[i].size; r++)
            if (ranks[r].status < 0)
                fail_with("%s %zu, rank %u: %s", tag, i, r, ranks[r].error.what);
        forget(ranks, run[i].size);
    }
    assert_same_file(one, again, weights);
    assert_same_file(one, again, "optimizer.safetensors");
    assert_same_file(one, again, "entry.json");
    char **names;
    size_t n;
    assert_ok(hone_list_dir(three, &names, &n));
    assert_true(n >= (x.whole ? 5u : 6u)); /* whole: rank 0 writes all of the state */
    for (size_t i = 0; i < n; i++)
        assert_same_file(three, three_again, names[i]);
    hone_names_free(names, n);
}

static void test_a_checkpoint_of_three_ranks_is_read_by_any(void **state)
{
    (void)state;
    assert_shards_come_back("full", (recipe){GRPO, .micro_tokens = 4000}, "model.safetensors");
    assert_shards_come_back("lora", (recipe){GRPO, .micro_tokens = 4000, .lora = 4},
                            "adapter.safetensors");
    assert_shards_come_back("bytes", (recipe){GRPO, ADAM8BIT, .micro_tokens = 4000},
                            "model.safetensors");
    assert_shards_come_back("free", (recipe){GRPO, SCHEDULE_FREE, .micro_tokens = 4000},
                            "model.safetensors");
    assert_shards_come_back("muon", (recipe){GRPO, MUON, .micro_tokens = 4000},
                            "model.safetensors");
}

static void test_a_shard_that_cannot_be_written_fails_on_every_rank(void **state)
{
    comm_rank ranks[3];
    const char *dir = folder("blocked");
    (void)state;
    folder("blocked/optimizer-00002-of-00003.safetensors"); /* in the way of rank 1's file */
    recipe x = {GRPO, .micro_tokens = 4000, .save = dir};
    train(ranks, 3, &x);
    assert_true(ranks[1].status < 0);
    assert_non_null(strstr(ranks[1].error.what, "optimizer-00002-of-00003.safetensors"));
    for (int r = 0; r < 3; r += 2)
        assert_non_null(strstr(ranks[r].error.what, "rank 1 of 3 failed"));
    forget(ranks, 3);
}

static void put(const char *dir, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/entry.json", dir);
    assert_ok(hone_file_replace(path, text, strlen(text)));
}

/* `text` with the first `from` (from the place of `after` on) replaced. */
static void edit(char out[8192], const char *text, const char *after, const char *from,
                 const char *to)
{
    const char *at = strstr(text, after);
    at = at ? strstr(at, from) : NULL;
    if (!at)
        fail_with("no %s after %s in:\n%s", from, after, text);
    snprintf(out, 8192, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static void test_a_bad_manifest_is_one_clear_error(void **state)
{
    comm_rank ranks[2];
    const char *dir = folder("bad");
    recipe x = {GRPO, .micro_tokens = 4000, .save = dir};
    char good[8192], text[8192];
    (void)state;
    train(ranks, 2, &x);
    assert_int_equal(ranks[0].status, HONE_OK);
    snprintf(good, sizeof good, "%s", ((outcome *)ranks[0].result)->manifest);
    forget(ranks, 2);
    x.save = NULL;
    x.load = dir;
#define W1 "\"model-00001-of-00002.safetensors\""
#define W2 "\"model-00002-of-00002.safetensors\""
#define O1 "\"optimizer-00001-of-00002.safetensors\""
#define O2 "\"optimizer-00002-of-00002.safetensors\""
    static const struct {
        const char *after, *from, *to, *text;
        hone_status status;
    } bad[] = {
        {"weights", W2, "\"gone.safetensors\"", "gone.safetensors", HONE_E_NOT_FOUND},
        {"weights", W2, "\"../x.safetensors\"", "is no file of a checkpoint", HONE_E_PARSE},
        {"weights", W2, "\"/etc/passwd\"", "is no file of a checkpoint", HONE_E_PARSE},
        {"weights", W2, "\"..\"", "\"..\" is no file of a checkpoint", HONE_E_PARSE},
        {"weights", W2, "7", "file", HONE_E_TYPE},
        {"weights", "\"file\"", "\"life\"", "is no file of a checkpoint", HONE_E_PARSE},
        {"weights", "\"tensors\": ", "\"tensors\": 1", "and state.json says 1", HONE_E_PARSE},
        {"weights", "[", "[7, ", "is no file of a checkpoint", HONE_E_PARSE},
        {"skipped", "\"weights\"", "\"heavies\"", "model.safetensors", HONE_E_NOT_FOUND},
        {"optimizer\":", "\"rows\"", "\"cols\"", "another shape", HONE_E_SHAPE},
        {"\"rows\"", "0,", "32,", "from 0 on are missing", HONE_E_PARSE},
        {"\"rows\"", "0,", "-1,", "another shape", HONE_E_SHAPE},
        {"\"rows\"", "0,", "9000000000000000000,", "another shape", HONE_E_SHAPE},
        {"\"rows\"", "0,", "", "two integers", HONE_E_PARSE},
        {O2, "\"rows\"", "\"cols\"", "another shape", HONE_E_SHAPE},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        edit(text, good, bad[i].after, bad[i].from, bad[i].to);
        put(dir, text);
        train(ranks, 1, &x);
        outcome *got = ranks[0].result;
        if (ranks[0].status != bad[i].status || !strstr(ranks[0].error.what, bad[i].text))
            fail_with("case %zu: %s \"%s\"", i, hone_status_name(ranks[0].status),
                      ranks[0].error.what);
        assert_int_equal(got->version, 0);
        forget(ranks, 1);
    }
    put(dir, good);
    train(ranks, 1, &x);
    assert_int_equal(ranks[0].status, HONE_OK);
    assert_int_equal(((outcome *)ranks[0].result)->version, STEPS);
    forget(ranks, 1);
}

/* A manifest that names one file twice, or leaves one out. */
static void test_missing_and_doubled_pieces_are_named(void **state)
{
    comm_rank ranks[3];
    const char *dir = folder("pieces");
    recipe x = {GRPO, .micro_tokens = 4000, .save = dir};
    uint64_t fresh;
    hone_arena a;
    (void)state;
    train(ranks, 3, &x);
    assert_int_equal(ranks[0].status, HONE_OK);
    forget(ranks, 3);
    hone_env env = {.registry = shipped()};
    hone_policy *p;
    assert_ok(hone_pool_create(1, &env.pool));
    hone_arena_init(&a, 0);
    assert_ok(make_policy(&env, &x, &a, &p));
    fresh = hone_params_checksum(p->model->params);
    static const struct {
        const char *key;
        size_t from, to; /* entry `to` becomes a copy of entry `from`; 9: is left out */
        const char *text;
    } cases[] = {{"weights", 0, 1, "are also in"},     {"weights", 9, 0, "is missing"},
                 {"weights", 9, 2, "is missing"},      {"optimizer", 0, 3, "are also in"},
                 {"optimizer", 9, 1, "are missing ("}, {"optimizer", 9, 2, "are missing ("}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hone_value v;
        char path[512];
        snprintf(path, sizeof path, "%s/entry.json", dir);
        assert_ok(hone_json_parse_file(path, 0, &a, &v));
        hone_value *list = (hone_value *)(uintptr_t)hone_value_get(&v, cases[i].key), items[8];
        assert_int_equal(list->u.list.n, 3);
        memcpy(items, list->u.list.items, 3 * sizeof *items);
        size_t n = 3;
        if (cases[i].from == 9) {
            n = 2;
            memmove(items + cases[i].to, items + cases[i].to + 1,
                    (2 - cases[i].to) * sizeof *items);
        } else {
            items[n] = items[cases[i].from];
            n = 4;
        }
        list->u.list.items = items;
        list->u.list.n = n;
        assert_fails(hone_policy_restore(p, dir, "", &v), HONE_E_PARSE, cases[i].text);
        assert_true(hone_params_checksum(p->model->params) == fresh); /* as it was */
    }
    hone_policy_destroy(p);
    hone_pool_destroy(env.pool);
    hone_arena_release(&a);
}

/* The names of a checkpoint without lists in its state.json. */
static void test_a_checkpoint_without_a_manifest_is_read(void **state)
{
    comm_rank ranks[1];
    const char *dir = folder("old");
    recipe x = {GRPO, .micro_tokens = 4000, .save = dir};
    (void)state;
    train(ranks, 1, &x);
    assert_int_equal(ranks[0].status, HONE_OK);
    uint64_t want = ((outcome *)ranks[0].result)->weights;
    forget(ranks, 1);
    put(dir, "{\"version\": 3, \"optimizer_step\": 3}");
    x.save = NULL;
    x.load = dir;
    train(ranks, 1, &x);
    assert_int_equal(ranks[0].status, HONE_OK);
    assert_true(((outcome *)ranks[0].result)->weights == want);
    forget(ranks, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sum_has_the_same_bits_for_any_split),
        cmocka_unit_test(test_sum_refuses_missing_and_doubled_chunks),
        cmocka_unit_test(test_all_ranks_learn_of_a_failure),
        cmocka_unit_test(test_shares_are_even_and_complete),
        cmocka_unit_test(test_slices_are_whole_rows_and_cover_everything),
        cmocka_unit_test(test_any_number_of_ranks_trains_the_same_bits),
        cmocka_unit_test(test_ranks_train_an_adapter),
        cmocka_unit_test(test_ranks_train_a_head_of_one_number),
        cmocka_unit_test(test_an_optimizer_of_whole_matrices_is_not_sliced),
        cmocka_unit_test(test_ranks_train_with_state_of_other_kinds),
        cmocka_unit_test(test_ranks_skip_a_step_together),
        cmocka_unit_test(test_a_rank_with_another_batch_is_an_error),
        cmocka_unit_test(test_a_checkpoint_of_three_ranks_is_read_by_any),
        cmocka_unit_test(test_a_shard_that_cannot_be_written_fails_on_every_rank),
        cmocka_unit_test(test_a_bad_manifest_is_one_clear_error),
        cmocka_unit_test(test_missing_and_doubled_pieces_are_named),
        cmocka_unit_test(test_a_checkpoint_without_a_manifest_is_read)};
    hone_registry_on_open(hone_matmul_offer);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
