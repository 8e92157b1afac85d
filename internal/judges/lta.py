"""Judges documents of level B-LTA with pyHanko's implementation of ETSI EN 319 102-1, clause 5.6.3, without the network.

Arguments: the root certificate and a file. Prints one line for now and one for ten years ahead. The second assumes that
document time-stamps were added in time and that the issuing authorities are in good standing then: what it proves is that
everything else which will be needed about the seal and its time-stamps is inside already.

A third argument, find-lists, makes good a fault of pyHanko 0.38.0 (pyhanko-certvalidator 0.33.0). To judge a signature
at a time in the past it looks for revocation information on a path of two, the certificate under its issuing authority
as if that were the trust anchor (_find_revinfo_data_for_leaf_in_past). A revocation list is taken only if a path to its
signer can be had from that path by truncate_to_issuer_and_append. The signer is the anchor itself; but the function
looks for the anchor's issuer, who is not on the path unless the anchor is self-signed, raises LookupError, and the list
is dropped. OCSP replies are not looked for in this way.
"""

import asyncio
import dataclasses
import datetime
import logging
import sys

from pyhanko.keys import load_cert_from_pemder
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation.ades import ades_lta_validation, simulate_future_ades_lta_validation
from pyhanko.sign.validation.policy_decl import (
    LocalKnowledge,
    PdfSignatureValidationSpec,
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy, NonRevokedStatusAssertion
from pyhanko_certvalidator.registry import SimpleTrustManager

logging.disable(logging.CRITICAL)


def find_lists_of_anchors():
    """Lets a path be truncated to its own trust anchor."""
    as_it_is = ValidationPath.truncate_to_issuer_and_append

    def mended(path, cert):
        try:
            return as_it_is(path, cert)
        except LookupError:
            anchor = getattr(path.trust_anchor.authority, 'certificate', None)
            if anchor is None or anchor.sha256 != cert.sha256:
                raise
            return ValidationPath(path.trust_anchor, interm=[], leaf=cert)

    ValidationPath.truncate_to_issuer_and_append = mended


if sys.argv[3:] == ['find-lists']:
    find_lists_of_anchors()

signature_spec = SignatureValidationSpec(
    cert_validation_policy=CertValidationPolicySpec(
        trust_manager=SimpleTrustManager.build([load_cert_from_pemder(sys.argv[1])]),
        revinfo_policy=CertRevTrustPolicy(REQUIRE_REVINFO),
    ),
    revinfo_gathering_policy=RevocationInfoGatheringSpec(online_fetching_rule=RevinfoOnlineFetchingRule.LOCAL_ONLY),
    key_usage_settings=KeyUsageConstraints(key_usage={'digital_signature'}),
)

with open(sys.argv[2], 'rb') as file:
    reader = PdfFileReader(file, strict=True)
    (signature,) = reader.embedded_regular_signatures
    result = asyncio.run(ades_lta_validation(signature, PdfSignatureValidationSpec(signature_spec)))
    print('now:', result.ades_subindic, result.failure_msg or '')

    then = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=3652)
    authorities = [*signature.other_embedded_certs, *reader.embedded_timestamp_signatures[-1].other_embedded_certs]
    standing = [NonRevokedStatusAssertion(cert.sha256, at=then) for cert in authorities]
    spec = dataclasses.replace(signature_spec, local_knowledge=LocalKnowledge(nonrevoked_assertions=standing))
    result = asyncio.run(simulate_future_ades_lta_validation(signature, PdfSignatureValidationSpec(spec), then))
    print('in ten years:', result.ades_subindic, result.failure_msg or '')
