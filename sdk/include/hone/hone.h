/* hone/hone.h - the whole SDK in one include. */
#ifndef HONE_HONE_H
#define HONE_HONE_H
#include "hone/base.h"
#include "hone/desc.h"
#include "hone/environment.h"
#include "hone/host.h"
#include "hone/http.h"
#include "hone/judge.h"
#include "hone/judging.h"
#include "hone/matmul.h"
#include "hone/model.h"
#include "hone/objective.h"
#include "hone/ops.h"
#include "hone/optimizer.h"
#include "hone/plugin.h"
#include "hone/reward.h"
#include "hone/scorer.h"
#include "hone/sink.h"
#include "hone/source.h"
#include "hone/state.h"
#include "hone/tokenizer.h"
#endif
