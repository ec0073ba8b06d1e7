/* hone/hone.hpp - the SDK for C++17: classes instead of tables, exceptions instead of statuses.
 *
 * A component is a class with a constructor (hone::host, hone::config). Its lifetime is the instance's: create is
 * `new`, destroy is `delete`. Whatever leaves it as an exception is stopped at the border and becomes a failed
 * status with the exception's text: hone::error keeps its status, std::bad_alloc is out of memory, any other
 * std::exception is "failed" with what(), anything else "an unknown exception".
 *
 *   class brevity
 *   {
 *     public:
 *       brevity(hone::host, hone::config c) : limit_(c.f64(0)) {}
 *       void score(const hone::batch &in, hone::outcomes &out)
 *       {
 *           for (size_t i = 0; i < in.size() && !in.cancelled(); i++)
 *               out.score(i, in[i].completion().size() < limit_ ? 1.0 : 0.0);
 *       }
 *     private:
 *       double limit_;
 *   };
 *   static const hone_component component = hone::reward<brevity>("com.example.reward.brevity", "1.0.0", "short answers",
 *                                                     HONE_CAP_PURE | HONE_CAP_DETERMINISTIC, fields, wants);
 *   HONE_CPP_PLUGIN(0x000100, &component);
 *
 * Rewards and judges get wrappers of their batches. For other kinds fill the interface's struct with functions that do
 * their work in hone::enter<T>(self, [&](T &object) { ... }), and make the component with hone::component<T>(..., iface).
 * Everything here is inline and in terms of the C headers: nothing of the C++ library crosses the border. */
#ifndef HONE_HONE_HPP
#define HONE_HONE_HPP
#include "hone/hone.h"

#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace hone
{
inline std::string_view view(hone_str s)
{
    return s.ptr ? std::string_view(s.ptr, s.len) : std::string_view();
}
inline hone_str str(std::string_view s)
{
    return hone_str{s.data(), s.size()};
}

/* A failure with its status: what() is the text the user reads. */
class error : public std::runtime_error
{
  public:
    error(hone_status status, const std::string &text) : std::runtime_error(text), status_(status)
    {
    }
    explicit error(const std::string &text) : error(HONE_E_FAIL, text) {}
    hone_status status() const noexcept
    {
        return status_ < 0 ? status_ : HONE_E_FAIL;
    }

  private:
    hone_status status_;
};

/* The host, valid as long as the instance. */
class host
{
  public:
    explicit host(const hone_host *h) noexcept : h_(h) {}
    void log(uint32_t level, std::string_view text) const noexcept
    {
        h_->log(h_, level, str(text));
    }
    hone_status fail(hone_status s, std::string_view text) const noexcept
    {
        return (h_->fail)(h_, s, str(text));
    }
    /* An interface of the host's; throws when it has none of that id. */
    template <class V> std::pair<void *, const V *> iface(const char *id) const
    {
        hone_ref ref{};
        if ((h_->get_iface)(h_, id, &ref) < 0)
            throw error(HONE_E_NOT_FOUND, std::string("the host has no ") + id);
        return {ref.self, static_cast<const V *>(ref.vt)};
    }
    const hone_host *c() const noexcept
    {
        return h_;
    }

  private:
    const hone_host *h_;
};

/* The checked settings, read by their place in the table; valid until the object is destroyed. */
class config
{
  public:
    explicit config(const hone_config *c) noexcept : c_(c) {}
    double f64(uint32_t field) const noexcept
    {
        return c_->f64(c_, field);
    }
    int64_t i64(uint32_t field) const noexcept
    {
        return c_->i64(c_, field);
    }
    bool flag(uint32_t field) const noexcept
    {
        return c_->i64(c_, field) != 0;
    }
    std::string_view text(uint32_t field) const noexcept
    {
        return view(c_->str(c_, field));
    }
    const hone_value *value(uint32_t field) const noexcept
    {
        return c_->value(c_, field);
    }
    bool is_set(uint32_t field) const noexcept
    {
        return c_->is_set(c_, field) != 0;
    }
    /* Another component, set by a HONE_COMPONENT field. */
    template <class V> std::pair<void *, const V *> component(uint32_t field) const
    {
        hone_ref ref{};
        if (c_->component(c_, field, &ref) < 0)
            throw error(HONE_E_INVALID, "the component of setting " + std::to_string(field) +
                                            " does not offer what is needed");
        return {ref.self, static_cast<const V *>(ref.vt)};
    }
    const hone_config *c() const noexcept
    {
        return c_;
    }

  private:
    const hone_config *c_;
};

/* Runs `work` and turns what it throws into a status with its text. Never throws. */
template <class F> hone_status guard(const hone_host *h, F &&work) noexcept
{
    try {
        work();
        return HONE_OK;
    } catch (const error &e) {
        return (h->fail)(h, e.status(), hone_str_c(e.what()));
    } catch (const std::bad_alloc &) {
        return (h->fail)(h, HONE_E_NOMEM, hone_str_c("out of memory"));
    } catch (const std::exception &e) {
        return (h->fail)(h, HONE_E_FAIL, hone_str_c(e.what()));
    } catch (...) {
        return (h->fail)(h, HONE_E_FAIL, hone_str_c("an unknown exception"));
    }
}

/* What `self` of a component made here points to. */
template <class T> struct instance {
    const hone_host *host;
    T object;
    instance(const hone_host *h, const hone_config *c) : host(h), object(hone::host(h), config(c))
    {
    }
};
template <class T, class F> hone_status enter(void *self, F &&work) noexcept
{
    auto *i = static_cast<instance<T> *>(self);
    return guard(i->host, [&] { work(i->object); });
}
/* The object, for functions that cannot fail. */
template <class T> T &object(void *self) noexcept
{
    return static_cast<instance<T> *>(self)->object;
}

template <class T>
hone_status create(const hone_host *h, const hone_config *c, void **self_out) noexcept
{
    return guard(h, [&] { *self_out = new instance<T>(h, c); });
}
template <class T> void destroy(void *self) noexcept
{
    delete static_cast<instance<T> *>(self);
}

/* The tables of one component. `get_iface` gives the interface's struct or NULL. Arrays end with a null pointer. */
template <class T>
constexpr hone_component component(const char *id, const char *kind, const char *version,
                                   const char *summary, uint64_t caps,
                                   const hone_field *const *fields, const char *const *provides,
                                   const char *const *wants,
                                   const void *(*get_iface)(void *, const char *))
{
    return hone_component{sizeof(hone_component), 0,        id,     kind,
                          version,                nullptr,  nullptr, summary,
                          nullptr,                caps,     fields, nullptr,
                          provides,               wants,    create<T>, destroy<T>,
                          get_iface};
}

/* ---- rewards -------------------------------------------------------------------------------------- */

class sample
{
  public:
    explicit sample(const hone_sample *s) noexcept : s_(s) {}
    std::string_view prompt() const noexcept
    {
        return view(s_->prompt);
    }
    std::string_view completion() const noexcept
    {
        return view(s_->completion);
    }
    /* The data column, or nullptr. */
    const hone_value *column(const char *name) const noexcept
    {
        return hone_sample_column(s_, name);
    }
    /* The column as text; empty when it is missing or of another type. */
    std::string_view text(const char *name) const noexcept
    {
        const hone_value *v = column(name);
        return v && v->type == HONE_STRING ? view(v->u.str) : std::string_view();
    }
    const hone_sample &c() const noexcept
    {
        return *s_;
    }

  private:
    const hone_sample *s_;
};

class batch
{
  public:
    batch(const hone_call *call, const hone_sample *in, size_t n, size_t stride) noexcept
        : call_(call), in_(in), n_(n), stride_(stride)
    {
    }
    size_t size() const noexcept
    {
        return n_;
    }
    sample operator[](size_t i) const noexcept
    {
        return sample(hone_sample_at(in_, stride_, i));
    }
    bool cancelled() const noexcept
    {
        return hone_cancelled(call_) != 0;
    }

  private:
    const hone_call *call_;
    const hone_sample *in_;
    size_t n_, stride_;
};

class outcomes
{
  public:
    outcomes(hone_outcome *out, size_t stride, const hone_notes *notes) noexcept
        : out_(out), stride_(stride), notes_(notes)
    {
    }
    void score(size_t i, double x) noexcept
    {
        hone_outcome_set(out_, stride_, i, HONE_SCORE, static_cast<float>(x));
    }
    void abstain(size_t i, std::string_view reason = {}) noexcept
    {
        settle(i, HONE_ABSTAIN, reason);
    }
    void fail(size_t i, std::string_view reason) noexcept
    {
        settle(i, HONE_ERROR, reason);
    }
    /* Named values beside an outcome. */
    void note(size_t i, std::string_view name, std::string_view text) noexcept
    {
        hone_value v{};
        v.type = HONE_STRING;
        v.u.str = str(text);
        put(i, name, v);
    }
    void note(size_t i, std::string_view name, const char *text) noexcept
    {
        note(i, name, std::string_view(text));
    }
    void note(size_t i, std::string_view name, double x) noexcept
    {
        hone_value v{};
        v.type = HONE_F64;
        v.u.f64 = x;
        put(i, name, v);
    }

  private:
    void settle(size_t i, uint32_t status, std::string_view reason) noexcept
    {
        if (!reason.empty())
            note(i, "reason", reason);
        hone_outcome_set(out_, stride_, i, status, 0);
    }
    void put(size_t i, std::string_view name, const hone_value &v) noexcept
    {
        if (notes_)
            notes_->put(notes_, i, str(name), &v);
    }
    hone_outcome *out_;
    size_t stride_;
    const hone_notes *notes_;
};

template <class T> struct reward_table {
    static hone_status score(void *self, const hone_call *call, const hone_sample *in, size_t n,
                             size_t stride, hone_outcome *out, size_t out_stride,
                             const hone_notes *notes) noexcept
    {
        return enter<T>(self, [&](T &object) {
            outcomes o(out, out_stride, notes);
            object.score(batch(call, in, n, stride), o);
        });
    }
    static const void *get_iface(void *, const char *id) noexcept
    {
        static const hone_reward_v1 table = {sizeof(hone_reward_v1), 0, score, nullptr, nullptr};
        return std::strcmp(id, HONE_IFACE_REWARD) == 0 ? &table : nullptr;
    }
    static constexpr const char *provides[] = {HONE_IFACE_REWARD, nullptr};
};
/* A reward from a class with score(const batch &, outcomes &). */
template <class T>
constexpr hone_component reward(const char *id, const char *version, const char *summary,
                                uint64_t caps, const hone_field *const *fields = nullptr,
                                const char *const *wants = nullptr)
{
    return component<T>(id, HONE_KIND_REWARD, version, summary, caps, fields,
                        reward_table<T>::provides, wants, reward_table<T>::get_iface);
}

/* ---- judges --------------------------------------------------------------------------------------- */

class verdicts
{
  public:
    explicit verdicts(const hone_verdict_sink *sink) noexcept : sink_(sink) {}
    void score(size_t item, double x, std::string_view reasoning = {})
    {
        hone_verdict v{};
        v.struct_size = sizeof v;
        v.status = HONE_SCORE;
        v.score = x;
        v.reasoning = str(reasoning);
        put(item, v);
    }
    void abstain(size_t item, std::string_view reasoning = {})
    {
        hone_verdict v{};
        v.struct_size = sizeof v;
        v.status = HONE_ABSTAIN;
        v.reasoning = str(reasoning);
        put(item, v);
    }
    void put(size_t item, const hone_verdict &v)
    {
        if (sink_->put(sink_, item, &v) < 0)
            throw error(HONE_E_CANCELLED, "the host takes no more verdicts");
    }

  private:
    const hone_verdict_sink *sink_;
};
class items
{
  public:
    items(const hone_call *call, const hone_judge_item *in, size_t n, size_t stride) noexcept
        : call_(call), in_(in), n_(n), stride_(stride)
    {
    }
    size_t size() const noexcept
    {
        return n_;
    }
    const hone_judge_item &operator[](size_t i) const noexcept
    {
        return *reinterpret_cast<const hone_judge_item *>(reinterpret_cast<const char *>(in_) +
                                                          i * stride_);
    }
    bool cancelled() const noexcept
    {
        return hone_cancelled(call_) != 0;
    }

  private:
    const hone_call *call_;
    const hone_judge_item *in_;
    size_t n_, stride_;
};
template <class T> struct judge_table {
    static hone_status judge(void *self, const hone_call *call, const hone_judge_item *in, size_t n,
                             size_t stride, const hone_verdict_sink *sink) noexcept
    {
        return enter<T>(self, [&](T &object) {
            verdicts v(sink);
            object.judge(items(call, in, n, stride), v);
        });
    }
    static const void *get_iface(void *, const char *id) noexcept
    {
        static const hone_judge_v1 table = {sizeof(hone_judge_v1), 0, judge};
        return std::strcmp(id, HONE_IFACE_JUDGE) == 0 ? &table : nullptr;
    }
    static constexpr const char *provides[] = {HONE_IFACE_JUDGE, nullptr};
};
/* A judge from a class with judge(const items &, verdicts &). */
template <class T>
constexpr hone_component judge(const char *id, const char *version, const char *summary,
                               uint64_t caps, const hone_field *const *fields = nullptr)
{
    return component<T>(id, HONE_KIND_JUDGE, version, summary, caps, fields,
                        judge_table<T>::provides, nullptr, judge_table<T>::get_iface);
}
} // namespace hone

/* The file's entry: its lowest host, then pointers to its components. At file scope, once. */
#define HONE_CPP_PLUGIN(need, ...)                                                                 \
    const hone_entry *hone_plugin_entry(void)                                                      \
    {                                                                                              \
        static const hone_magic magic = HONE_MAGIC(need);                                          \
        static const hone_component *const components[] = {__VA_ARGS__, nullptr};                  \
        static const hone_entry entry = {sizeof(hone_entry), 0,       &magic, components,          \
                                         nullptr,            nullptr, nullptr};                    \
        return &entry;                                                                             \
    }                                                                                              \
    static_assert(true, "takes the semicolon")
#endif
