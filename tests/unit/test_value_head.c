/* test_value_head.c - heads of one number: gradients through the tape, bits whatever the split, checkpoints, files, refusals. */
#include "components.h"

#include "base/file.h"
#include "nn/value_head.h"
#include "ops/kernels.h"
#include "train/checkpoint.h"
#include "train/update.h"
#include "train/values.h"

#include <math.h>

#define CONFIG(tied)                                                                               \
    "{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\",\"hidden_size\":40,"       \
    "\"intermediate_size\":72,\"num_hidden_layers\":2,\"num_attention_heads\":4,"                  \
    "\"num_key_value_heads\":2,\"head_dim\":10,\"vocab_size\":97,\"pad_token_id\":5,"              \
    "\"initializer_range\":0.3,\"tie_word_embeddings\":" tied ",\"rms_norm_eps\":1e-5}"
enum { PAIRS = 4, LENGTH = 9, PROMPT = 3, VOCAB = 97, HIDDEN = 40 };

typedef struct made {
    hone_env env;
    hone_policy *p;
} made;

static hone_status try_make(made *x, const char *model, const char *config, uint32_t kind,
                            int detached, int rank, double lr)
{
    hone_arena a;
    hone_value tree, opt;
    char settings[64];
    hone_policy_config cfg = {.optimizer = "adamw",
                              .optimizer_config = &opt,
                              .seed = 3,
                              .model = model,
                              .config = model ? NULL : &tree,
                              .value_head = kind,
                              .head_detached = detached,
                              .lora = {.rank = rank, .seed = 5}};
    memset(x, 0, sizeof *x);
    x->env.registry = shipped();
    assert_ok(hone_pool_create(1, &x->env.pool));
    hone_arena_init(&a, 0);
    snprintf(settings, sizeof settings, "{\"lr\":%g}", lr);
    assert_ok(hone_json_parse(settings, strlen(settings), "optimizer", &a, &opt));
    if (config)
        assert_ok(hone_json_parse(config, strlen(config), "config", &a, &tree));
    hone_status s = hone_policy_create(&x->env, &cfg, &x->p);
    hone_arena_release(&a);
    return s;
}

static void unmake(made *x)
{
    hone_policy_destroy(x->p);
    hone_pool_destroy(x->env.pool);
}

static void make(made *x, const char *config, uint32_t kind, int detached, int rank, double lr)
{
    assert_ok(try_make(x, NULL, config, kind, detached, rank, lr));
}

typedef struct batch {
    int32_t prompt[PAIRS][PROMPT], ids[PAIRS][2][LENGTH];
    uint8_t mask[PAIRS][2][LENGTH];
    hone_train_seq seqs[PAIRS][2];
    hone_train_tree trees[PAIRS];
} batch;

/* Pairs whose last tokens are scored; the prompt of each is shared. */
static void fill(batch *b, uint32_t x)
{
    memset(b, 0, sizeof *b);
    for (uint32_t t = 0; t < PAIRS; t++) {
        for (int i = 0; i < PROMPT; i++)
            b->prompt[t][i] = (int32_t)((x = x * 1664525u + 1013904223u) >> 8) % VOCAB;
        for (uint32_t q = 0; q < 2; q++) {
            const size_t n = LENGTH - t - q;
            for (size_t i = 0; i < n; i++)
                b->ids[t][q][i] = (int32_t)((x = x * 1664525u + 1013904223u) >> 8) % VOCAB;
            b->mask[t][q][n - 1] = 1;
            b->seqs[t][q] = (hone_train_seq){.ids = b->ids[t][q],
                                             .n = n,
                                             .mask = b->mask[t][q],
                                             .group = t,
                                             .role = q ? HONE_ROLE_REJECTED : HONE_ROLE_CHOSEN};
        }
        b->trees[t] = (hone_train_tree){
            .prompt = b->prompt[t], .n_prompt = PROMPT, .seqs = b->seqs[t], .n_seqs = 2};
    }
}

typedef struct loss_of {
    hone_instance *inst;
    hone_update_params u;
} loss_of;

static loss_of objective(const char *id, const char *json, double lr, size_t micro)
{
    loss_of l = {.u = {.temperature = 1, .lr = lr, .micro_tokens = micro}};
    hone_ref ref;
    l.inst = open_component(id, json, HONE_IFACE_OBJECTIVE, &ref);
    l.u.objective = ref.vt;
    l.u.objective_self = ref.self;
    l.u.objective_instance = l.inst;
    return l;
}

static void one_step(made *x, const batch *b, const loss_of *l)
{
    hone_metrics m;
    hone_metrics_init(&m);
    assert_ok(hone_policy_step(x->p, b->trees, PAIRS, &l->u, &m));
    hone_metrics_release(&m);
}

static double loss_now(made *x, const batch *b, const loss_of *l)
{
    hone_metrics m;
    double loss;
    hone_metrics_init(&m);
    assert_ok(hone_policy_loss(x->p, b->trees, PAIRS, &l->u, &loss, &m));
    hone_metrics_release(&m);
    return loss;
}

#define RM "org.hone.objective.rm", "{\"center\":0.05,\"margin\":0.3}"

/* d loss / d parameter (row, col) against the difference quotient. */
static void assert_gradient(made *x, const batch *b, const loss_of *l, hone_param i, int64_t row,
                            int64_t col)
{
    hone_params *ps = x->p->model->params;
    const int64_t cols = hone_params_item(ps, i)->cols;
    float values[HIDDEN * 2], grads[HIDDEN * 2];
    const float h = 4e-3f;
    double side[2];
    assert_true(cols <= HIDDEN * 2);
    assert_ok(hone_params_get_grad_rows(ps, i, row, 1, grads));
    assert_ok(hone_params_get_rows(ps, i, row, 1, values));
    const float kept = values[col];
    for (int k = 0; k < 2; k++) {
        values[col] = k ? kept + h : kept - h;
        assert_ok(hone_params_set_rows(ps, i, row, 1, values));
        side[k] = loss_now(x, b, l);
    }
    values[col] = kept;
    assert_ok(hone_params_set_rows(ps, i, row, 1, values));
    const double want = (side[1] - side[0]) / (2 * (double)h), got = (double)grads[col];
    if (!(fabs(got - want) < 2e-4 + 0.01 * fabs(want)))
        fail_with("%s (%d, %d): %g, the difference quotient is %g", hone_params_item(ps, i)->name,
                  (int)row, (int)col, got, want);
}

static void test_the_loss_of_scores_reaches_head_and_trunk(void **state)
{
    made x;
    batch b;
    loss_of l = objective(RM, 0, 12);
    (void)state;
    fill(&b, 77);
    make(&x, CONFIG("true"), HONE_HEAD_REWARD, 0, 0, 0);
    one_step(&x, &b, &l); /* lr 0: gradients stay, values too */
    hone_params *ps = x.p->model->params;
    int seen = 0;
    for (int64_t c = 0; c < HIDDEN; c += 7)
        assert_gradient(&x, &b, &l, x.p->model->value_head, 0, c);
    for (hone_param i = 0; i < hone_params_count(ps); i++) {
        const hone_param_item *it = hone_params_item(ps, i);
        if (i == x.p->model->info.embed || it->cols > HIDDEN * 2)
            continue;
        assert_gradient(&x, &b, &l, i, it->rows / 2, it->cols / 3);
        seen++;
    }
    assert_true(seen > 12);
    hone_instance_unref(l.inst);
    unmake(&x);
}

static double grad_size(const made *x, hone_param i)
{
    const hone_param_item *it = hone_params_item(x->p->model->params, i);
    double sum = 0;
    for (size_t k = 0; k < it->length; k++)
        sum += fabs((double)it->grad[k]);
    return sum;
}

static void test_a_detached_head_keeps_its_gradient(void **state)
{
    made x;
    batch b;
    loss_of l = objective(RM, 0, 0);
    (void)state;
    fill(&b, 77);
    make(&x, CONFIG("true"), HONE_HEAD_REWARD, 1, 0, 0);
    one_step(&x, &b, &l);
    for (hone_param i = 0; i < hone_params_count(x.p->model->params); i++)
        assert_true(i == x.p->model->value_head ? grad_size(&x, i) > 1e-3 : grad_size(&x, i) == 0);
    hone_instance_unref(l.inst);
    unmake(&x);
}

static void test_any_split_trains_the_same_bits(void **state)
{
    static const size_t micro[] = {0, 1, 12, 30};
    uint64_t first = 0;
    (void)state;
    for (size_t k = 0; k < sizeof micro / sizeof *micro; k++) {
        made x;
        batch b;
        loss_of l = objective(RM, 0.01, micro[k]);
        make(&x, CONFIG("true"), HONE_HEAD_REWARD, 0, 0, 0.01);
        for (uint32_t i = 0; i < 3; i++) {
            fill(&b, i);
            one_step(&x, &b, &l);
        }
        const uint64_t sum = hone_model_checksum(x.p->model, UINT32_MAX);
        if (k == 0)
            first = sum;
        assert_true(sum == first);
        hone_instance_unref(l.inst);
        unmake(&x);
    }
}

/* What training scores is what hone_policy_values says of the same tokens, bit for bit. */
static void test_scores_of_training_are_the_values(void **state)
{
    made x;
    batch b;
    loss_of l = objective("org.hone.objective.rm", NULL, 0, 0);
    hone_metrics m;
    double loss, chosen, out[PAIRS], sum = 0;
    int32_t ids[PAIRS][PROMPT + LENGTH];
    hone_ids texts[PAIRS];
    (void)state;
    fill(&b, 4);
    make(&x, CONFIG("true"), HONE_HEAD_REWARD, 0, 0, 0);
    for (size_t t = 0; t < PAIRS; t++) {
        const hone_train_seq *q = &b.seqs[t][0];
        memcpy(ids[t], b.prompt[t], sizeof b.prompt[t]);
        memcpy(ids[t] + PROMPT, q->ids, q->n * sizeof *ids[t]);
        texts[t] = (hone_ids){ids[t], PROMPT + q->n};
    }
    assert_ok(hone_policy_values(x.p, texts, PAIRS, HONE_ADAPTERS_NONE, out));
    for (size_t t = 0; t < PAIRS; t++)
        sum += out[t];
    hone_metrics_init(&m);
    assert_ok(hone_policy_loss(x.p, b.trees, PAIRS, &l.u, &loss, &m));
    assert_true(hone_metrics_get(&m, "rewards/chosen", &chosen));
    assert_true(chosen == sum / PAIRS && fabs(chosen) > 1e-3);
    hone_metrics_release(&m);
    hone_instance_unref(l.inst);
    unmake(&x);
}

/* Samples as a rollout has them: all tokens count, values and returns come with them. */
static void fill_samples(batch *b, double old[PAIRS][2][LENGTH], double back[PAIRS][2][LENGTH])
{
    for (size_t t = 0; t < PAIRS; t++)
        for (size_t q = 0; q < 2; q++) {
            hone_train_seq *x = &b->seqs[t][q];
            for (size_t i = 0; i < LENGTH; i++) {
                old[t][q][i] = 0.02 * (double)(i + 3 * t) - 0.1;
                back[t][q][i] = 0.6 - 0.3 * (double)((i + t + q) % 5);
            }
            x->mask = NULL;
            x->role = HONE_ROLE_NONE;
            x->value = old[t][q];
            x->returns = back[t][q];
            x->seq_advantage = q ? -0.4 : 0.9;
        }
}

/* A prompt's last row says the value before the first token of both samples: its gradient is of both. */
static void test_the_value_loss_reaches_head_and_trunk(void **state)
{
    static double old[PAIRS][2][LENGTH], back[PAIRS][2][LENGTH];
    static const size_t micro[] = {0, 1, 25};
    made x;
    batch b;
    uint64_t first = 0;
    (void)state;
    loss_of l = objective("org.hone.objective.value", "{\"vf_clip\":0.3}", 0, 25);
    fill(&b, 21);
    fill_samples(&b, old, back);
    make(&x, CONFIG("true"), HONE_HEAD_REWARD, 0, 0, 0); /* values that are not all 0 */
    one_step(&x, &b, &l);
    for (int64_t c = 0; c < HIDDEN; c += 9)
        assert_gradient(&x, &b, &l, x.p->model->value_head, 0, c);
    for (hone_param i = 0; i < hone_params_count(x.p->model->params); i++) {
        const hone_param_item *it = hone_params_item(x.p->model->params, i);
        if (i != x.p->model->info.embed && it->cols <= HIDDEN * 2)
            assert_gradient(&x, &b, &l, i, it->rows / 3, it->cols / 2);
    }
    hone_instance_unref(l.inst);
    unmake(&x);
    for (size_t k = 0; k < sizeof micro / sizeof *micro; k++) {
        l = objective("org.hone.objective.ppo", "{\"vf_coef\":0.5}", 0.01, micro[k]);
        make(&x, CONFIG("true"), HONE_HEAD_VALUE, 0, 0, 0.01);
        for (int i = 0; i < 3; i++)
            one_step(&x, &b, &l);
        const uint64_t sum = hone_model_checksum(x.p->model, UINT32_MAX);
        first = k ? first : sum;
        assert_true(sum == first);
        hone_instance_unref(l.inst);
        unmake(&x);
    }
}

/* The value before token i is that of the text up to it. */
static void test_values_are_of_the_state_before_a_token(void **state)
{
    static double out[PAIRS * 2 * LENGTH];
    made x;
    batch b;
    size_t at = 0;
    (void)state;
    fill(&b, 33);
    make(&x, CONFIG("true"), HONE_HEAD_REWARD, 0, 0, 0);
    x.p->model->value_pad = -1;
    assert_ok(hone_policy_token_values(x.p, b.trees, PAIRS, 0, out));
    for (size_t t = 0; t < PAIRS; t++)
        for (size_t q = 0; q < 2; q++)
            for (size_t i = 0; i < b.seqs[t][q].n; i++, at++) {
                int32_t ids[PROMPT + LENGTH];
                double want;
                memcpy(ids, b.prompt[t], sizeof b.prompt[t]);
                memcpy(ids + PROMPT, b.ids[t][q], i * sizeof *ids);
                const hone_ids text = {ids, PROMPT + i};
                assert_ok(hone_policy_values(x.p, &text, 1, HONE_ADAPTERS_NONE, &want));
                assert_true(out[at] == want);
            }
    unmake(&x);
    make(&x, CONFIG("true"), HONE_HEAD_NONE, 0, 0, 0);
    assert_fails(hone_policy_token_values(x.p, b.trees, PAIRS, 0, out), HONE_E_UNSUPPORTED, "head");
    unmake(&x);
}

static void test_padding_behind_a_text_has_no_value(void **state)
{
    static const int32_t ids[] = {7, 5, 9, 5, 5};
    hone_model m = {.value_pad = 5};
    (void)state;
    assert_int_equal(hone_value_place(&m, ids, 5), 2);
    assert_int_equal(hone_value_place(&m, ids + 3, 2), 1);
    m.value_pad = -1;
    assert_int_equal(hone_value_place(&m, ids, 5), 4);
}

static void assert_resumes(const char *name, int rank)
{
    char path[512];
    const char *dir = scratch_path(name);
    made x, y;
    batch b;
    hone_arena a;
    hone_value manifest;
    hone_buf text;
    hone_jw w;
    loss_of l = objective(RM, 0.01, 0);
    assert_ok(hone_mkdirs(dir));
    make(&x, CONFIG("true"), HONE_HEAD_REWARD, 0, rank, 0.01);
    make(&y, CONFIG("true"), HONE_HEAD_REWARD, 0, rank, 0.01);
    fill(&b, 1);
    one_step(&x, &b, &l);
    hone_buf_init(&text, 1 << 20);
    hone_jw_init(&w, &text, 1);
    assert_ok(hone_policy_checkpoint(x.p, dir, ""));
    assert_ok(hone_policy_state_write(x.p, "", &w));
    snprintf(path, sizeof path, "%s/entry.json", dir);
    assert_ok(hone_file_replace(path, text.ptr, text.len));
    hone_arena_init(&a, 0);
    assert_ok(hone_json_parse_file(path, 0, &a, &manifest));
    assert_ok(hone_policy_restore(y.p, dir, "", &manifest));
    assert_ok(hone_policy_state_read(y.p, &manifest));
    fill(&b, 2);
    one_step(&x, &b, &l);
    one_step(&y, &b, &l);
    assert_true(hone_model_checksum(x.p->model, UINT32_MAX) ==
                hone_model_checksum(y.p->model, UINT32_MAX));
    hone_buf_release(&text);
    hone_arena_release(&a);
    hone_instance_unref(l.inst);
    unmake(&x);
    unmake(&y);
}

static void test_a_checkpoint_goes_on_with_the_same_bits(void **state)
{
    (void)state;
    assert_resumes("full", 0);
    assert_resumes("lora", 2); /* the head trains beside the adapter, and is in its file */
}

static void test_the_head_trains_beside_an_adapter_alone(void **state)
{
    made x;
    batch b;
    loss_of l = objective(RM, 0.01, 0);
    (void)state;
    make(&x, CONFIG("true"), HONE_HEAD_REWARD, 0, 2, 0.01);
    const uint64_t base = hone_params_checksum_base(x.p->model->params),
                   all = hone_model_checksum(x.p->model, 0);
    fill(&b, 1);
    one_step(&x, &b, &l);
    assert_true(hone_params_checksum_base(x.p->model->params) == base);
    assert_true(hone_model_checksum(x.p->model, 0) != all); /* adapters apart: the head */
    unmake(&x);
    hone_instance_unref(l.inst);
}

static void test_a_head_changes_nothing_of_the_language_model(void **state)
{
    made x, y;
    batch b;
    float p[PAIRS * 2 * LENGTH] = {0}, q[PAIRS * 2 * LENGTH] = {0};
    (void)state;
    fill(&b, 9);
    make(&x, CONFIG("true"), HONE_HEAD_NONE, 0, 0, 0);
    make(&y, CONFIG("true"), HONE_HEAD_VALUE, 0, 0, 0);
    assert_true(x.p->begins_with == y.p->begins_with && x.p->begins_with);
    assert_ok(hone_policy_logprobs(x.p, b.trees, PAIRS, 1, HONE_ADAPTERS_NONE, 0, p));
    assert_ok(hone_policy_logprobs(y.p, b.trees, PAIRS, 1, HONE_ADAPTERS_NONE, 0, q));
    assert_memory_equal(p, q, sizeof p);
    unmake(&x);
    unmake(&y);
}

static void read_file(const char *dir, const char *leaf, char *out, size_t size)
{
    char path[512];
    FILE *f;
    snprintf(path, sizeof path, "%s/%s", dir, leaf);
    f = fopen(path, "rb");
    assert_non_null(f);
    out[fread(out, 1, size - 1, f)] = '\0';
    fclose(f);
}

static void assert_value_comes_back(made *x, const char *dir, uint32_t kind)
{
    static const int32_t ids[] = {1, 2, 3, 50, 60};
    const hone_ids text = {ids, 5};
    double a, b;
    made y;
    assert_ok(hone_policy_save(x->p, dir, HONE_F32));
    assert_ok(try_make(&y, dir, NULL, kind, 0, 0, 0));
    assert_ok(hone_policy_values(x->p, &text, 1, hone_policy_mask(x->p), &a));
    assert_ok(hone_policy_values(y.p, &text, 1, HONE_ADAPTERS_NONE, &b));
    if (x->p->adapter >= 0) /* merged: rounded once more */
        assert_true(fabs(a - b) < 1e-5);
    else
        assert_true(a == b);
    assert_true(fabs(a) > 1e-3);
    unmake(&y);
}

static void test_a_reward_model_is_saved_and_loaded(void **state)
{
    static const char *const tied[] = {CONFIG("true"), CONFIG("false")};
    char text[4096];
    (void)state;
    for (int k = 0; k < 3; k++) {
        made x;
        batch b;
        loss_of l = objective(RM, 0.01, 0);
        const char *dir = scratch_path(k == 0 ? "tied" : k == 1 ? "untied" : "merged");
        make(&x, tied[k % 2], HONE_HEAD_REWARD, 0, k == 2 ? 3 : 0, 0.01);
        fill(&b, 1);
        one_step(&x, &b, &l);
        assert_value_comes_back(&x, dir, HONE_HEAD_NONE);
        read_file(dir, "config.json", text, sizeof text);
        assert_non_null(strstr(text, "\"LlamaForSequenceClassification\""));
        assert_non_null(strstr(text, "\"pad_token_id\": 5"));
        assert_non_null(strstr(text, "\"LABEL_0\""));
        read_file(dir, "model.safetensors", text, sizeof text); /* its header */
        for (size_t i = 0; i < sizeof text - 1; i++)
            text[i] = text[i] ? text[i] : ' ';
        assert_non_null(strstr(text, "\"score.weight\""));
        assert_null(strstr(text, "lm_head")); /* as transformers has it */
        hone_instance_unref(l.inst);
        unmake(&x);
    }
}

static void test_a_value_head_stands_beside_the_language_model(void **state)
{
    const char *dir = scratch_path("critic");
    char text[4096], path[512];
    float row[HIDDEN];
    made x, y;
    (void)state;
    make(&x, CONFIG("true"), HONE_HEAD_VALUE, 0, 0, 0);
    assert_ok(hone_params_get_rows(x.p->model->params, x.p->model->value_head, 0, 1, row));
    for (int i = 0; i < HIDDEN; i++) {
        assert_true(row[i] == 0.0f); /* it begins with saying nothing */
        row[i] = 0.1f + (float)i;
    }
    assert_ok(hone_params_set_rows(x.p->model->params, x.p->model->value_head, 0, 1, row));
    assert_value_comes_back(&x, dir, HONE_HEAD_VALUE);
    read_file(dir, "config.json", text, sizeof text);
    assert_non_null(strstr(text, "\"LlamaForCausalLM\""));
    assert_ok(try_make(&y, dir, NULL, HONE_HEAD_NONE, 0, 0, 0)); /* a language model as any other */
    assert_true(y.p->model->head_kind == HONE_HEAD_NONE);
    unmake(&y);
    snprintf(path, sizeof path, "%s/" HONE_VALUE_HEAD_FILE, dir);
    assert_ok(hone_file_replace(path, "no tensors", 10));
    assert_true(try_make(&y, dir, NULL, HONE_HEAD_VALUE, 0, 0, 0) < 0);
    assert_non_null(strstr(hone_error_get()->what, HONE_VALUE_HEAD_FILE));
    hone_pool_destroy(y.env.pool);
    unmake(&x);
}

static void test_what_does_not_go_together_is_refused(void **state)
{
    const char *dir = scratch_path("judge");
    made x, y;
    batch b;
    double loss;
    hone_metrics m;
    loss_of l = objective(RM, 0, 0);
    (void)state;
    fill(&b, 1);
    make(&x, CONFIG("true"), HONE_HEAD_NONE, 0, 0, 0);
    hone_metrics_init(&m);
    assert_fails(hone_policy_step(x.p, b.trees, PAIRS, &l.u, &m), HONE_E_UNSUPPORTED,
                 "has no value head");
    assert_fails(hone_policy_loss(x.p, b.trees, PAIRS, &l.u, &loss, &m), HONE_E_UNSUPPORTED,
                 "has no value head");
    hone_metrics_release(&m);
    unmake(&x);
    make(&x, CONFIG("true"), HONE_HEAD_REWARD, 0, 2, 0);
    assert_fails(hone_policy_save_adapter(x.p, dir, HONE_F32), HONE_E_UNSUPPORTED,
                 "no place for a reward model's head");
    assert_ok(hone_policy_save(x.p, dir, HONE_F32));
    assert_fails(try_make(&y, dir, NULL, HONE_HEAD_VALUE, 0, 0, 0), HONE_E_INVALID,
                 "is a reward model");
    hone_pool_destroy(y.env.pool);
    hone_instance_unref(l.inst);
    unmake(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_loss_of_scores_reaches_head_and_trunk),
        cmocka_unit_test(test_a_detached_head_keeps_its_gradient),
        cmocka_unit_test(test_any_split_trains_the_same_bits),
        cmocka_unit_test(test_scores_of_training_are_the_values),
        cmocka_unit_test(test_the_value_loss_reaches_head_and_trunk),
        cmocka_unit_test(test_values_are_of_the_state_before_a_token),
        cmocka_unit_test(test_padding_behind_a_text_has_no_value),
        cmocka_unit_test(test_a_checkpoint_goes_on_with_the_same_bits),
        cmocka_unit_test(test_the_head_trains_beside_an_adapter_alone),
        cmocka_unit_test(test_a_head_changes_nothing_of_the_language_model),
        cmocka_unit_test(test_a_reward_model_is_saved_and_loaded),
        cmocka_unit_test(test_a_value_head_stands_beside_the_language_model),
        cmocka_unit_test(test_what_does_not_go_together_is_refused),
    };
    return cmocka_run_group_tests_name("value_head", tests, NULL, NULL);
}
