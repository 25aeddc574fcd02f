"""Keys and tokens that say whose they are: each maker gives them a prefix so that they can be found.

The prefixes are those that the makers document and that gitleaks (MIT) and GitHub's secret scanning list;
the patterns are our own, and ask for fewer characters than a whole key has: one that was cut off counts.
"""

from __future__ import annotations

import re

from agenttracer.collector.privacy.detectors.detector import Detector, Hit, chars

_HEX = "0123456789abcdef" * 4


def _mixed(hit: Hit) -> bool:
    """Not words with hyphens between them, like a package or a locale."""
    return any(map(str.isdigit, hit.text)) and re.search("[A-Za-z0-9]{12}", hit.text) is not None


def _not_a_word(hit: Hit) -> bool:
    return any(map(str.isdigit, hit.text))


DETECTORS = (
    Detector(
        "anthropic_key",
        r"\bsk-ant-[A-Za-z0-9_-]{8,}",
        hits=("sk-ant-" + "api03-" + chars(93) + "AA", "key=sk-ant-" + "admin01-" + chars(20),
              "sk-ant-" + "abcdefghijkl"),
        misses=("sk-ant-", "task-ant-hill-colony", "sk-ant-short", "ant-api03-" + chars(20)),
    ),
    Detector(
        "openai_key",
        r"\bsk-(?:(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{8,}|[A-Za-z0-9]{32,})",
        hits=("sk-" + "proj-" + chars(48), "sk-" + "svcacct-" + chars(20), "OPENAI=sk-" + chars(48), "sk-" + _HEX[:32],
              "sk-" + "admin-abcdefghijkl"),
        misses=("sk-learn", "sk-project-name-here", "sk-proj-", "task-proj-abcdefgh1234"),
    ),
    Detector(
        "sk_key",  # LiteLLM, OpenRouter, DeepSeek, Langfuse and many more say the same
        r"\b[sp]k-[A-Za-z0-9_-]{16,}",
        hits=("sk-" + "or-v1-" + _HEX, "pk-" + "lf-12345678-1234-4123-8123-446655440000", "sk-" + chars(22)),
        misses=("sk-learn-contrib-imbalanced", "sk-SK", "desk-" + chars(22), "sk-2024-01-01-release-one"),
        verify=_mixed,
    ),
    Detector(
        "ai_provider_key",
        r"\b(?:hf_|api_org_|gsk_|xai-|pplx-|r8_|lsv2_[ps][tk]_|nvapi-|tvly-|pcsk_|csk-|jina_|tgp_v1_)[A-Za-z0-9_-]{16,}",
        hits=("hf_" + chars(34), "gsk_" + chars(52), "xai-" + chars(80), "pplx-" + chars(48), "r8_" + chars(37),
              "lsv2_" + "pt_" + _HEX[:32] + "_" + _HEX[:10]),
        misses=("hf_hub", "xai-org", "shelf_" + chars(34), "jina_embeddings_v3", "gsk_", "hf_model_download_timeout_s"),
        verify=_mixed,
    ),
    Detector(
        "aws_access_key",
        r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b",
        hits=("AKIA" + "IOSFODNN7EXAMPLE", "id=ASIA" + "Y34FZKBOKMUTVV7A", "AKIA" + "ABCDEFGH12345678,"),
        misses=("ASIAPACIFIC", "AKIA" + "iosfodnn7example", "XAKIA" + "IOSFODNN7EXAMPLE", "ASIA-PACIFIC-REGION",
                "ACCA" + "0123456789ABCDEF0123456789AB"),
    ),
    Detector(
        "google_key",
        r"\bAIza[A-Za-z0-9_-]{20,}|\bya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{16,}"
        r"""|"private_key_id[\\]?"\s?:\s?[\\]?"[0-9a-f]{16,}""",
        hits=("AIza" + "Sy" + chars(33), "ya29." + "a0Af" + chars(40), "GOCSPX-" + chars(28),
              '{"private_key_id": "' + _HEX[:40] + '"}'),
        misses=("AIzabc", "ya29.txt", "GOCSPX", '"private_key_id": ""'),
    ),
    Detector(
        "azure_key",
        r"((?i:accountkey|sharedaccesskey)=)[A-Za-z0-9+/]{20,}={0,2}|[?&]sig=[A-Za-z0-9%+/]{20,}"
        r"|\b[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{20,}",
        hits=("AccountName=x;AccountKey=" + chars(86) + "==", "https://x.blob.example/c?sv=1&sig=" + chars(43) + "%3D",
              "abc8Q~" + chars(34), "SharedAccessKey=" + chars(43) + "=",
              "accountkey=" + "abcdefghijklmnopqrstuvwxyz=="),
        misses=("AccountKey=", "?sig=short", "Q~" + chars(34), "SharedAccessKeyName=RootManageSharedAccessKey"),
    ),
    Detector(
        "github_token",
        r"\bgh[pousr]_[A-Za-z0-9]{16,}|\bgithub_pat_[A-Za-z0-9_]{16,}",
        hits=("ghp_" + chars(36), "github_" + "pat_" + chars(22) + "_" + chars(59), "x-access-token:ghs_" + chars(36),
              "gho_" + "abcdefghijklmnopqrst"),
        misses=("ghp_", "high_" + chars(36), "gho_short", "github_path_to_a_repository"),
    ),
    Detector(
        "gitlab_token",
        r"\bgl(?:pat|dt|ft|rt|cbt|ptt|oas|soat|agent|imt|ffct)-[A-Za-z0-9_-]{16,}(?:\.[A-Za-z0-9_]+)*",
        hits=("glpat-" + chars(20), "glrt-" + "t1_" + chars(27) + ".01.0z1y2x3w4", "GITLAB=glptt-" + _HEX[:40]),
        misses=("glpat-", "glove-box-of-a-car-seat", "xglpat-" + chars(20), "glft-short"),
    ),
    Detector(
        "slack_token",
        r"\bxox[a-z](?:\.xox[bp])?-[A-Za-z0-9-]{10,}|\bxapp-[0-9]-[A-Za-z0-9-]{10,}"
        r"|hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{20,}",
        hits=("xoxb-" + "123456789012-123456789012-" + chars(24), "xapp-" + "1-A0123-456-" + chars(32),
              "https://hooks.slack.com/" + "services/T0123/B4567/" + chars(24), "xoxp-" + "abcdefghijkl"),
        misses=("xoxb-1", "xox", "xapp-beta", "hooks.slack.com/docs", "foxox-1234567890"),
    ),
    Detector(
        "stripe_key",
        r"\b[srp]k_(?:live|test|prod)_[A-Za-z0-9]{8,}|\bwhsec_[A-Za-z0-9+/]{16,}",
        hits=("sk_" + "live_" + chars(24), "rk_" + "test_" + chars(24), "whsec_" + chars(32),
              "sk_" + "test_abcdefghijkl"),
        misses=("sk_live_", "task_test_abcdefgh", "sk_latest_version_of", "whsec_short"),
    ),
    Detector(
        "telegram_token",
        r"[0-9]{8,10}:AA[A-Za-z0-9_-]{24,}",
        hits=("123456789:" + "AA" + chars(33), "bot1234567890:" + "AA" + chars(33), "12345678:" + "AA" + chars(33),
              "123456789:" + "AA" + "abcdefghijklmnopqrstuvwxyz"),
        misses=("123456789:AAbc", "1234:" + "AA" + chars(33), "123456789:BB" + chars(33)),
    ),
    Detector(
        "discord_token",
        r"\b[MNO][A-Za-z0-9_-]{22,26}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}|discord(?:app)?\.com/api/webhooks/[0-9]+/[A-Za-z0-9_-]{20,}",
        hits=("M" + chars(23) + ".G1x2Y3." + chars(38), "O" + chars(25) + ".abc_12." + chars(27),
              "https://discord.com/" + "api/webhooks/123456789/" + chars(68),
              "M" + "abcdefghijklmnopqrstuvw" + ".abcdef." + "abcdefghijklmnopqrstuvwxyzab"),
        misses=("M" + chars(23) + ".G1x2Y3", "A" + chars(23) + ".G1x2Y3." + chars(38), "x.com/api/webhooks/1"),
    ),
    Detector(
        "service_token",
        r"\b(?:npm_|pypi-AgE|SG\.|SK[0-9a-f]{4}|dapi[0-9a-f]|do[opr]_v1_|key-[0-9a-f]{4}|shp(?:at|ca|pa|ss)_|ATATT3|"
        r"lin_api_|ntn_|dckr_pat_|hvs\.|glsa_|sntry[su]_|NRAK-|sbp_|PMAK-|rubygems_|dp\.pt\.|secret_)[A-Za-z0-9_.=-]{20,}",
        hits=("npm_" + chars(36), "pypi-" + "AgEIcHlwaS5vcmc" + chars(60), "SG." + chars(22) + "." + chars(43),
              "SK" + _HEX[:32], "dapi" + _HEX[:32], "dop_" + "v1_" + _HEX, "key-" + _HEX[:32]),
        misses=("npm_config_cache", "key-value", "SG.1", "npm_package_config_registry_url", "secret_manager_client_v"),
        verify=_not_a_word,
    ),
)  # fmt: skip
