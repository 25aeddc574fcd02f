"""Keeps artifacts as objects in any S3-compatible bucket, each written once by a conditional put.

    s3uploader:
      region: eu-central-1
      s3_bucket: agent-artifacts
      s3_prefix: production
      endpoint: http://localhost:9000      # MinIO and others; leave it out for AWS
      s3_force_path_style: true

Credentials come from where AWS tools find them: environment, profile, container or instance role; they
need s3:ListBucket, s3:PutObject and s3:GetObject; to erase, s3:ListBucketVersions and s3:DeleteObjectVersion too.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)

from agenttracer.collector.errors import CollectorError, Rejected, StartError, Unavailable
from agenttracer.exporters.artifacts.artifact import Artifact, Store, conflict
from agenttracer.exporters.artifacts.options import S3Uploader

_CONNECT_SECONDS = 5
_START_SECONDS = 5
_READ_SECONDS = 30
_DELETED_AT_ONCE = 1000
_META_BYTES = 1024  # S3 takes 2 KB of metadata in all

# What never gets better by itself. Anything else, refused credentials too, is for an operator to mend
# while the data waits in the journal.
_REJECTED = frozenset(
    {"BadDigest", "EntityTooLarge", "InvalidArgument", "InvalidDigest", "InvalidRequest", "KeyTooLongError"}
)


@dataclass(frozen=True, slots=True, repr=False)
class PresignedPut:
    """A URL that stores one object once; the request must carry exactly these headers."""

    url: str
    headers: Mapping[str, str]


class S3(Store):
    """Artifacts in a bucket."""

    def __init__(self, options: S3Uploader) -> None:
        self.options = options

    def open(self) -> None:
        """Asks for the bucket, for a few seconds at most."""
        bucket = self.options.s3_bucket
        try:
            self._make_client(read_timeout_seconds=_START_SECONDS).head_bucket(Bucket=bucket)
        except ClientError as error:
            raise StartError(_why_not(bucket, _status(error))) from None
        except (NoCredentialsError, PartialCredentialsError):
            raise StartError(
                f"there are no complete credentials for S3 bucket {bucket}: "
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role"
            ) from None
        except (BotoCoreError, ValueError) as error:
            raise StartError(
                f"S3 bucket {bucket} can't be reached ({type(error).__name__}): "
                "check `s3uploader.endpoint`, `region` and the network"
            ) from None
        _ = self._client  # made here: threads may share a client, but not the making of one

    def put(self, artifact: Artifact) -> None:
        """Puts the object if its key is free; S3 checks the content against the hash."""
        try:
            self._client.put_object(**self._put_arguments(artifact))
        except ClientError as error:
            if _status(error) != 412:
                raise _refusal(error) from None
        except BotoCoreError as error:
            raise _failure(error) from None
        else:
            return
        if self._stored_sha256(artifact.key) != artifact.sha256:
            raise conflict()

    def presign_get(self, key: str, expires_seconds: int) -> str:
        """A URL that reads the object until it expires; browsers save it and never show it as a page."""
        arguments = {**self._at(key), "ResponseContentDisposition": "attachment"}
        return self._client.generate_presigned_url("get_object", Params=arguments, ExpiresIn=expires_seconds)

    def presign_put(
        self, key: str, expires_seconds: int, *, sha256: str, content_type: str = "application/octet-stream"
    ) -> PresignedPut:
        """A URL that stores the one content that has this hash, if the key is still free."""
        headers = {
            "Content-Type": content_type,
            "If-None-Match": "*",
            "x-amz-checksum-sha256": _base64(sha256),
            "x-amz-meta-sha256": sha256,
        }
        arguments = {
            **self._at(key),
            "ContentType": content_type,
            "IfNoneMatch": "*",
            "ChecksumSHA256": _base64(sha256),
            "Metadata": {"sha256": sha256},
        }
        url = self._client.generate_presigned_url("put_object", Params=arguments, ExpiresIn=expires_seconds)
        return PresignedPut(url, headers)

    def first_parts(self) -> Iterator[str]:
        """The distinct first parts of the keys."""
        for page in self._pages("list_objects_v2", Delimiter="/", **self._below("")):
            for found in page.get("CommonPrefixes", ()):
                yield found["Prefix"].rstrip("/").rpartition("/")[2]

    def versions(self, beginning: str) -> Iterator[tuple[str, str]]:
        """(key, version) of all objects whose keys begin so, deleted ones of a versioned bucket too."""
        below = self._below(beginning)
        cut = len(below["Prefix"]) - len(beginning)
        for page in self._pages("list_object_versions", **below):
            for found in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                yield found["Key"][cut:], found["VersionId"]

    def delete_versions(self, versions: Sequence[tuple[str, str]]) -> None:
        """Delete them for good; what S3 refuses, under a lock or for want of a right, stays."""
        for start in range(0, len(versions), _DELETED_AT_ONCE):
            objects = [
                {"Key": self._at(key)["Key"], "VersionId": version}
                for key, version in versions[start : start + _DELETED_AT_ONCE]
            ]
            try:
                self._client.delete_objects(
                    Bucket=self.options.s3_bucket, Delete={"Objects": objects, "Quiet": True}
                )
            except ClientError as error:
                raise _refusal(error) from None
            except BotoCoreError as error:
                raise _failure(error) from None

    def _pages(self, operation: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        try:
            yield from self._client.get_paginator(operation).paginate(**arguments)
        except ClientError as error:
            raise _refusal(error) from None
        except BotoCoreError as error:
            raise _failure(error) from None

    def _below(self, beginning: str) -> dict[str, str]:
        return {"Bucket": self.options.s3_bucket, "Prefix": self._at(beginning)["Key"]}

    def _stored_sha256(self, key: str) -> str:
        try:
            return self._client.head_object(**self._at(key))["Metadata"].get("sha256", "")
        except ClientError as error:
            raise _refusal(error) from None
        except BotoCoreError as error:
            raise _failure(error) from None

    def _at(self, key: str) -> dict[str, Any]:
        prefix = self.options.s3_prefix.strip("/")
        return {"Bucket": self.options.s3_bucket, "Key": f"{prefix}/{key}" if prefix else key}

    def _put_arguments(self, artifact: Artifact) -> dict[str, Any]:
        metadata = {"sha256": artifact.sha256}
        # Headers are ASCII; what is too long is still in the row of the artifact.
        if 0 < len(meta := quote(artifact.meta, safe=' {}[]":,')) <= _META_BYTES:
            metadata["meta"] = meta
        optional = {
            "ACL": self.options.acl,
            "ServerSideEncryption": self.options.server_side_encryption,
            "SSEKMSKeyId": self.options.sse_kms_key_id,
        }
        return {
            **self._at(artifact.key),
            "Body": artifact.content,
            "ChecksumAlgorithm": "SHA256",
            "ChecksumSHA256": _base64(artifact.sha256),
            "ContentType": artifact.content_type,
            "IfNoneMatch": "*",
            "Metadata": metadata,
            "StorageClass": self.options.storage_class,
            **{name: value for name, value in optional.items() if value},
        }

    @cached_property
    def _session(self) -> Any:
        return boto3.session.Session()

    @cached_property
    def _client(self) -> Any:
        return self._make_client(read_timeout_seconds=_READ_SECONDS)

    def _make_client(self, read_timeout_seconds: float) -> Any:
        # Their debug lines hold keys, headers and bodies.
        for name in ("botocore", "boto3", "s3transfer", "urllib3"):
            logging.getLogger(name).setLevel(logging.WARNING)
        style = "path" if self.options.s3_force_path_style else "auto"
        return self._session.client(
            "s3",
            region_name=self.options.region,
            endpoint_url=self.options.endpoint,
            use_ssl=not self.options.disable_ssl,
            config=Config(
                signature_version="s3v4",
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=read_timeout_seconds,
                retries={"mode": "standard", "total_max_attempts": 1},  # the pipeline retries, without an end
                s3={"addressing_style": style},
            ),
        )


def _base64(sha256: str) -> str:
    return base64.b64encode(bytes.fromhex(sha256)).decode()


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _refusal(error: ClientError) -> CollectorError:
    code = error.response.get("Error", {}).get("Code", "")
    message = f"S3 refused an artifact: {code} ({_status(error)})"
    if code in _REJECTED:
        return Rejected(message, reason="artifact_refused")
    return Unavailable(message, retry_after_seconds=5)


def _failure(error: BotoCoreError) -> CollectorError:
    # The type alone: the texts hold URLs, and those the names in the key.
    message = f"an artifact can't be sent to S3 ({type(error).__name__})"
    if isinstance(error, ParamValidationError):
        return Rejected(message, reason="artifact_refused")
    return Unavailable(message, retry_after_seconds=5)


def _why_not(bucket: str, status: int) -> str:
    return {
        301: f"S3 bucket {bucket} is in another region: correct `s3uploader.region`",
        403: f"S3 refuses access to bucket {bucket}: check the credentials and their right to s3:ListBucket",
        404: f"S3 bucket {bucket} doesn't exist: create it or correct `s3uploader.s3_bucket`",
    }.get(status, f"S3 answers {status} for bucket {bucket}: check `s3uploader.endpoint` and the service")
