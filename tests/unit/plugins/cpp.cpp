// The SDK in C++17: a plugin whose component is a class.
#include "hone/judge.h"
#include "hone/model.h"
#include "hone/objective.h"
#include "hone/optimizer.h"
#include "hone/reward.h"
#include "hone/tokenizer.h"

#include <cstring>
#include <new>
#include <string>

namespace
{
class reward
{
    std::string word_;

  public:
    explicit reward(hone_str word) : word_(word.ptr ? word.ptr : "", word.len) {}
    float score(const hone_sample &s) const
    {
        return std::string(s.completion.ptr, s.completion.len).find(word_) != std::string::npos
                   ? 1.f
                   : 0.f;
    }
};

hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n, size_t stride,
                  hone_outcome *out, size_t out_stride, const hone_notes *)
{
    for (size_t i = 0; i < n && !hone_cancelled(call); i++)
        hone_outcome_set(out, out_stride, i, HONE_SCORE,
                         static_cast<reward *>(self)->score(*hone_sample_at(in, stride, i)));
    return HONE_OK;
}

hone_status create(const hone_host *host, const hone_config *cfg, void **self_out)
{
    reward *r = new (std::nothrow) reward(cfg->str(cfg, 0));
    if (!r)
        return hone_host_fail(host, HONE_E_NOMEM, "no memory");
    *self_out = r;
    return HONE_OK;
}
void destroy(void *self)
{
    delete static_cast<reward *>(self);
}
const hone_reward_v1 vt = {sizeof(hone_reward_v1), 0, score, nullptr, nullptr};
const void *get_iface(void *, const char *id)
{
    return std::strcmp(id, HONE_IFACE_REWARD) == 0 ? &vt : nullptr;
}

const hone_field word = HONE_STR_INIT("word", "yes", 0, "scores 1 where it occurs");
const hone_field *const fields[] = {&word, nullptr};
const char *const provides[] = {HONE_IFACE_REWARD, nullptr};
const hone_component component = {sizeof(hone_component),
                                  0,
                                  "org.test.reward.cpp",
                                  HONE_KIND_REWARD,
                                  "1.0.0",
                                  "tests",
                                  "Apache-2.0",
                                  "a word occurs",
                                  nullptr,
                                  HONE_CAP_PURE,
                                  fields,
                                  nullptr,
                                  provides,
                                  nullptr,
                                  create,
                                  destroy,
                                  get_iface};
const hone_component *const components[] = {&component, nullptr};
const hone_magic magic = HONE_MAGIC(0x000100);
const hone_entry entry = {sizeof(hone_entry), 0, &magic, components, nullptr, nullptr, nullptr};
} // namespace

const hone_entry *hone_plugin_entry(void)
{
    return &entry;
}
