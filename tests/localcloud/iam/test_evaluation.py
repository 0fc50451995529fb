"""Policy evaluation, by cases of the IAM User Guide and by properties."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.iam.documents import Policy, parse
from localcloud.iam.evaluation import AccessRequest, Decision, Policies, denial, evaluate
from localcloud.iam.principals import Principal

if TYPE_CHECKING:
    from localcloud.iam.documents import Kind

ACCOUNT, OTHER = "111111111111", "222222222222"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
CALLER = Principal("session", SESSION, ACCOUNT, ROLE)
OBJECT = "arn:aws:s3:::bucket/key"
REQUEST = AccessRequest(CALLER, "s3:GetObject", OBJECT, ACCOUNT)
ACROSS = replace(REQUEST, resource_account=OTHER)


def _policy(*statements: dict[str, Any], kind: Kind = "identity") -> Policy:
    base = {"Effect": "Allow", "Action": "s3:GetObject"}
    base |= {} if kind == "trust" else {"Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [base | each for each in statements]}
    return parse(json.dumps(document), kind)


def _named(*principals: Any, **more: Any) -> Policy:
    return _policy(*({"Principal": each} | more for each in principals), kind="resource")


ALLOW, DENY, NOTHING = _policy({}), _policy({"Effect": "Deny"}), _policy({"Action": "kms:Decrypt"})
_ALL = {"AWS": "*"}
_ME = {"AWS": [SESSION, ROLE, ROOT]}

# Policies that apply; in the same account; across accounts. "" is allowed, else the denier.
CASES: list[tuple[str, Policies, str, str]] = [
    ("nothing", Policies(), "identity", "identity"),
    ("identity", Policies(identity=[ALLOW]), "", "resource"),
    ("identity twice", Policies(identity=[ALLOW, NOTHING]), "", "resource"),
    ("deny wins", Policies(identity=[ALLOW, DENY]), "identity!", "identity!"),
    ("resource: session", Policies(resource=_named({"AWS": SESSION})), "", "identity"),
    ("resource: role", Policies(resource=_named({"AWS": ROLE})), "", "identity"),
    ("resource: account", Policies(resource=_named({"AWS": ROOT})), "identity", "identity"),
    ("resource: everyone", Policies(resource=_named("*")), "", "identity"),
    ("resource: other", Policies(resource=_named({"AWS": OTHER})), "identity", "identity"),
    ("both", Policies(identity=[ALLOW], resource=_named({"AWS": ACCOUNT})), "", ""),
    (
        "resource denies",
        Policies(identity=[ALLOW], resource=_named(_ALL, Effect="Deny")),
        "resource!",
        "resource!",
    ),
    ("boundary", Policies(identity=[ALLOW], boundary=NOTHING), "boundary", "resource"),
    ("boundary alone", Policies(boundary=ALLOW), "identity", "identity"),
    ("boundary denies", Policies(identity=[ALLOW], boundary=DENY), "boundary!", "boundary!"),
    (
        "boundary and session's grant",
        Policies(boundary=NOTHING, resource=_named({"AWS": SESSION})),
        "",
        "identity",
    ),
    (
        "boundary and role's grant",
        Policies(boundary=NOTHING, resource=_named({"AWS": ROLE})),
        "boundary",
        "identity",
    ),
    ("session", Policies(identity=[ALLOW], session=[NOTHING]), "session", "resource"),
    ("session allows", Policies(identity=[ALLOW], session=[NOTHING, ALLOW]), "", "resource"),
    ("session alone", Policies(session=[ALLOW]), "identity", "identity"),
    ("session denies", Policies(identity=[ALLOW], session=[ALLOW, DENY]), "session!", "session!"),
    (
        "session and role's grant",
        Policies(session=[NOTHING], resource=_named({"AWS": ROLE})),
        "session",
        "identity",
    ),
    (
        "resource decides, and is silent",
        Policies(identity=[ALLOW], resource=_named({"AWS": OTHER}), resource_decides=True),
        "resource",
        "resource",
    ),
    (
        "resource decides, and leaves it to the account",
        Policies(identity=[ALLOW], resource=_named({"AWS": ROOT}), resource_decides=True),
        "",
        "",
    ),
    (
        "denied to all but these",
        Policies(
            identity=[ALLOW],
            resource=_policy({"Effect": "Deny", "NotPrincipal": _ME}, kind="resource"),
        ),
        "",
        "resource",
    ),
    (
        "denied to all but the role",
        Policies(
            identity=[ALLOW],
            resource=_policy({"Effect": "Deny", "NotPrincipal": {"AWS": ROLE}}, kind="resource"),
        ),
        "resource!",
        "resource!",
    ),
    (
        "NotPrincipal denies whoever has a boundary",
        Policies(
            identity=[ALLOW],
            boundary=ALLOW,
            resource=_policy({"Effect": "Deny", "NotPrincipal": _ME}, kind="resource"),
        ),
        "resource!",
        "resource!",
    ),
]


def _outcome(decision: Decision) -> str:
    return "" if decision.allowed else f"{decision.policy_type}{'!' if decision.explicit else ''}"


@pytest.mark.parametrize(
    ("case", "policies", "same", "across"), CASES, ids=[each[0] for each in CASES]
)
def test_policy_types(case: str, policies: Policies, same: str, across: str) -> None:
    """Cases of "Policy evaluation logic" and "Permissions boundaries" (IAM User Guide)."""
    assert (_outcome(evaluate(REQUEST, policies)), _outcome(evaluate(ACROSS, policies))) == (
        same,
        across,
    )


@pytest.mark.parametrize(
    ("principal", "same", "across"),
    [
        ({"AWS": ROLE}, "", "identity"),
        ({"AWS": ROOT}, "identity", "identity"),
        ({"AWS": OTHER}, "trust", "trust"),
        ({"Service": "codebuild.amazonaws.com"}, "trust", "trust"),
    ],
)
def test_trust(principal: Any, same: str, across: str) -> None:
    """A role's trust policy must allow, and suffices if it names the account's role."""
    assume = {"Action": "sts:AssumeRole"}
    trust = _policy(assume | {"Principal": principal}, kind="trust")
    policies = Policies(resource=trust, resource_type="trust", resource_decides=True)
    for account, expected in ((ACCOUNT, same), (OTHER, across)):
        target = f"arn:aws:iam::{account}:role/target"
        request = AccessRequest(CALLER, "sts:AssumeRole", target, account)
        assert _outcome(evaluate(request, policies)) == expected
        granted = _outcome(evaluate(request, replace(policies, identity=[_policy(assume)])))
        assert granted == ("" if expected != "trust" else "trust")


def test_services() -> None:
    """A service needs only the resource's policy, restricted by its source."""
    service = Principal("service", "events.amazonaws.com")
    source = "arn:aws:events:eu-west-1:111111111111:rule/r"
    named = _named(
        {"Service": "events.amazonaws.com"},
        Condition={
            "ArnLike": {"aws:SourceArn": source},
            "StringEquals": {"AWS:SourceAccount": ACCOUNT},
        },
    )
    request = AccessRequest(service, "s3:GetObject", OBJECT, ACCOUNT)
    policies = Policies(resource=named)
    assert _outcome(evaluate(request, policies)) == "resource"
    context = {"aws:sourcearn": [source], "aws:sourceaccount": [ACCOUNT]}
    assert evaluate(replace(request, context=context), policies).allowed
    context["aws:sourceaccount"] = [OTHER]
    assert not evaluate(replace(request, context=context), policies).allowed


_TAGGED = {"Resource": "arn:aws:s3:::bucket/${aws:PrincipalTag/key}"}
_KEY = "arn:aws:kms:eu-west-1:111111111111:key/k"
_VIA = {"kms:viaservice": ["s3.eu-west-1.amazonaws.com"]}
_ENCRYPTS = {"kms:encryptioncontext:aws:s3:arn": ["arn:aws:s3:::bucket"]}
_DECRYPT = {
    "Action": "kms:Decrypt",
    "Condition": {
        "StringEquals": {
            "kms:ViaService": "s3.eu-west-1.amazonaws.com",
            "kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::bucket",
        }
    },
}
_PASS = {
    "Action": "iam:PassRole",
    "Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
}
_LIST = {"Action": "s3:ListBucket", "Condition": {"StringLike": {"s3:prefix": ["", "home/*"]}}}
_TAGS = {
    "Condition": {
        "ForAllValues:StringEquals": {"aws:TagKeys": ["a"]},
        "StringEquals": {"aws:RequestTag/a": "b"},
    }
}
_INSECURE = {"Condition": {"Bool": {"aws:SecureTransport": False}}}


@pytest.mark.parametrize(
    ("statement", "action", "resource", "context", "allowed"),
    [
        ({"Action": "S3:getobject"}, "s3:GetObject", OBJECT, {}, True),
        ({"Action": "s3:Get*"}, "s3:GetObjectVersion", OBJECT, {}, True),
        ({"Action": "s3:Get?bject"}, "s3:GetObject", OBJECT, {}, True),
        ({"Action": ["iam:*", "*"]}, "s3:GetObject", OBJECT, {}, True),
        ({"Action": None, "NotAction": "iam:*"}, "s3:GetObject", OBJECT, {}, True),
        ({"Action": None, "NotAction": "s3:*"}, "s3:GetObject", OBJECT, {}, False),
        ({"Resource": "arn:aws:s3:::bucket"}, "s3:GetObject", OBJECT, {}, False),
        ({"Resource": None, "NotResource": f"{OBJECT}*"}, "s3:GetObject", OBJECT, {}, False),
        ({"Resource": None, "NotResource": "arn:aws:s3:::o/*"}, "s3:GetObject", OBJECT, {}, True),
        (_TAGGED, "s3:GetObject", OBJECT, {"aws:principaltag/key": ["key"]}, True),
        (_TAGGED, "s3:GetObject", OBJECT, {}, False),
        (_INSECURE, "s3:GetObject", OBJECT, {"aws:securetransport": ["true"]}, False),
        (_INSECURE, "s3:GetObject", OBJECT, {"aws:securetransport": ["false"]}, True),
        (_PASS, "iam:PassRole", ROLE, {"iam:passedtoservice": ["lambda.amazonaws.com"]}, True),
        (_PASS, "iam:PassRole", ROLE, {"iam:passedtoservice": ["ec2.amazonaws.com"]}, False),
        (_DECRYPT, "kms:Decrypt", _KEY, _VIA | _ENCRYPTS, True),
        (_DECRYPT, "kms:Decrypt", _KEY, _VIA, False),
        (_LIST, "s3:ListBucket", "arn:aws:s3:::bucket", {"s3:prefix": ["home/ann"]}, True),
        (_LIST, "s3:ListBucket", "arn:aws:s3:::bucket", {"s3:prefix": ["other"]}, False),
        (_TAGS, "s3:GetObject", OBJECT, {"aws:tagkeys": ["a"], "aws:requesttag/a": ["b"]}, True),
        (_TAGS, "s3:GetObject", OBJECT, {"aws:tagkeys": ["a", "c"]}, False),
    ],
)
def test_elements(
    statement: dict[str, Any],
    action: str,
    resource: str,
    context: dict[str, list[str]],
    allowed: bool,
) -> None:
    base = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"} | statement
    stated = {key: value for key, value in base.items() if value is not None}
    policy = parse(json.dumps({"Version": "2012-10-17", "Statement": stated}), "identity")
    request = AccessRequest(CALLER, action, resource, ACCOUNT, context)
    assert evaluate(request, Policies(identity=[policy])).allowed is allowed


@pytest.mark.parametrize(
    ("policies", "reason"),
    [
        (Policies(), "because no identity-based policy allows the s3:GetObject action"),
        (Policies(identity=[DENY]), "with an explicit deny in an identity-based policy"),
        (Policies(session=[DENY]), "with an explicit deny in a session policy"),
        (Policies(boundary=DENY), "with an explicit deny in a permissions boundary"),
        (
            Policies(identity=[ALLOW], boundary=NOTHING),
            "because no permissions boundary allows the s3:GetObject action",
        ),
        (
            Policies(identity=[ALLOW], session=[NOTHING]),
            "because no session policy allows the s3:GetObject action",
        ),
        (
            Policies(resource=_named(_ALL, Effect="Deny")),
            "with an explicit deny in a resource-based policy",
        ),
    ],
)
def test_denials_have_awss_text(policies: Policies, reason: str) -> None:
    """Texts of "Troubleshoot access denied error messages" (IAM User Guide)."""
    assert denial(REQUEST, evaluate(REQUEST, policies)) == (
        f"User: {SESSION} is not authorized to perform: s3:GetObject on resource: {OBJECT} {reason}"
    )


_STATEMENTS = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Deny"]),
        "Action": st.sampled_from(["*", "s3:*", "s3:GetObject", "s3:Put*"]),
        "Resource": st.sampled_from(["*", "arn:aws:s3:::bucket/*", "arn:aws:s3:::other"]),
    },
    optional={
        "Condition": st.sampled_from(
            [{"Bool": {"aws:SecureTransport": "true"}}, {"StringNotEquals": {"aws:x": "y"}}]
        )
    },
)
_DOCUMENTS = st.lists(_STATEMENTS, min_size=1, max_size=4)
_PRINCIPALS = st.sampled_from(["*", {"AWS": ROLE}, {"AWS": SESSION}, {"AWS": ACCOUNT}])
_CONTEXTS = st.sampled_from([{}, {"aws:securetransport": ["true"]}, {"aws:x": ["y"]}])


def _resource(statements: list[dict[str, Any]], principal: Any) -> Policy:
    return _policy(*({"Principal": principal} | each for each in statements), kind="resource")


_POLICIES = st.builds(
    lambda identity, boundary, session, resource: Policies(
        identity=[_policy(*identity)],
        boundary=_policy(*boundary) if boundary else None,
        session=[_policy(*session)] if session else None,
        resource=_resource(*resource) if resource else None,
    ),
    _DOCUMENTS,
    st.none() | _DOCUMENTS,
    st.none() | _DOCUMENTS,
    st.none() | st.tuples(_DOCUMENTS, _PRINCIPALS),
)
_REQUESTS = st.builds(
    AccessRequest,
    st.just(CALLER),
    st.sampled_from(["s3:GetObject", "s3:PutObject", "kms:Decrypt"]),
    st.sampled_from([OBJECT, "arn:aws:s3:::other", "*"]),
    st.sampled_from([ACCOUNT, OTHER]),
    _CONTEXTS,
)


def _more(policies: Policies, effect: str, statement: dict[str, Any]) -> list[Policies]:
    """Return the same policies, with a statement added to one of each applicable type."""
    added = _policy(statement | {"Effect": effect})
    found = [replace(policies, identity=[*policies.identity, added])]
    if policies.boundary:
        both = Policy(policies.boundary.statements + added.statements)
        found.append(replace(policies, boundary=both))
    if policies.session:
        found.append(replace(policies, session=[*policies.session, added]))
    return found


@given(_REQUESTS, _POLICIES, _STATEMENTS)
def test_a_deny_never_allows_more(
    request: AccessRequest, policies: Policies, statement: dict[str, Any]
) -> None:
    if not evaluate(request, policies).allowed:
        for more in _more(policies, "Deny", statement):
            assert not evaluate(request, more).allowed


@given(_REQUESTS, _POLICIES, _STATEMENTS)
def test_an_allow_never_denies_more(
    request: AccessRequest, policies: Policies, statement: dict[str, Any]
) -> None:
    if evaluate(request, policies).allowed:
        for more in _more(policies, "Allow", statement):
            assert evaluate(request, more).allowed


@given(_REQUESTS, _POLICIES)
def test_boundaries_and_session_policies_only_restrict(
    request: AccessRequest, policies: Policies
) -> None:
    if evaluate(request, policies).allowed:
        assert evaluate(request, replace(policies, boundary=None)).allowed
        assert evaluate(request, replace(policies, session=None)).allowed


@given(_REQUESTS, _DOCUMENTS, st.randoms(use_true_random=False))
def test_the_order_does_not_matter(
    request: AccessRequest, statements: list[dict[str, Any]], random: Any
) -> None:
    first = _outcome(evaluate(request, Policies(identity=[_policy(*statements)])))
    random.shuffle(statements)
    apart = [_policy(each) for each in statements]
    assert _outcome(evaluate(request, Policies(identity=apart))) == first


@given(_REQUESTS, _DOCUMENTS)
def test_a_cross_account_call_needs_both_sides(
    request: AccessRequest, statements: list[dict[str, Any]]
) -> None:
    across = replace(request, resource_account=OTHER)
    assert not evaluate(across, Policies(identity=[_policy(*statements)])).allowed
    assert not evaluate(across, Policies(resource=_resource(statements, {"AWS": SESSION}))).allowed


def test_an_evaluation_takes_well_under_100_microseconds() -> None:
    """For a role as large as a CDK pipeline's: 20 statements of ten resources each."""
    statements = [
        {
            "Action": [f"s{n}:Get*", f"s{n}:List*", f"s{n}:PutObject"],
            "Resource": [f"arn:aws:s3:::bucket-{n}-{k}/*" for k in range(10)],
            "Condition": {"StringEquals": {"aws:ResourceAccount": ACCOUNT}},
        }
        for n in range(19)
    ]
    policies = Policies(identity=[_policy(*statements, {})])
    best = min(_seconds(policies) for _ in range(20))
    assert best < 100e-6


def _seconds(policies: Policies) -> float:
    started = time.perf_counter()
    for _ in range(50):
        evaluate(REQUEST, policies)
    return (time.perf_counter() - started) / 50
