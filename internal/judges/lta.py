"""Judges documents of level B-LTA with pyHanko's implementation of ETSI EN 319 102-1, clause 5.6.3, without the network.

Arguments: the root certificate and a file. Prints one line for now and one for ten years ahead. The second assumes that
document time-stamps were added in time and that the issuing authorities are in good standing then: what it proves is that
everything else which will be needed about the seal and its time-stamps is inside already.
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
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy, NonRevokedStatusAssertion
from pyhanko_certvalidator.registry import SimpleTrustManager

logging.disable(logging.CRITICAL)

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
