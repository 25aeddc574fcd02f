"""Where artifacts rest: a folder, or a bucket under the names that the Collector gives them."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from agenttracer.collector.component import ExporterOptions, Options, Seconds


class S3Uploader(Options):
    """The Collector's awss3 keys for the bucket."""

    region: str = Field(default="us-east-1", description="Region of the bucket.")
    s3_bucket: str = Field(min_length=1, description="Name of the bucket; it must exist.")
    s3_prefix: str = Field(default="", description="Put before every key, with a slash.")
    endpoint: str | None = Field(default=None, description="URL of an S3-compatible service other than AWS.")
    s3_force_path_style: bool = Field(default=False, description="Bucket in the path, not in the host name.")
    disable_ssl: bool = Field(default=False, description="Plain HTTP where no `endpoint` is set.")
    storage_class: str = Field(default="STANDARD", description="Storage class of the objects.")
    acl: str | None = Field(default=None, description="Canned ACL of the objects.")
    server_side_encryption: Literal["AES256", "aws:kms", "aws:kms:dsse"] | None = Field(
        default=None, description="Encryption at rest; the bucket's default if not set."
    )
    sse_kms_key_id: str | None = Field(default=None, description="Key of `aws:kms` encryption.")


class ArtifactsOptions(ExporterOptions):
    """Where artifacts rest: a folder, or a bucket under the Collector's awss3 keys."""

    directory: str = Field(default="./data/artifacts", description="Folder of the artifacts.")
    s3uploader: S3Uploader | None = Field(default=None, description="Bucket, in place of the folder.")
    content_ttl: Seconds = Field(
        default=30 * 24 * 3600.0,
        ge=0,
        description="How long a folder keeps content (redaction's content: artifact); 0 keeps it for ever. "
        "In a bucket its lifecycle rules decide.",
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.s3uploader is not None and "directory" in self.model_fields_set:
            raise ValueError("give `directory` or `s3uploader`, not both")
        if self.s3uploader is not None and "content_ttl" in self.model_fields_set:
            raise ValueError("`content_ttl` is for a folder: give the bucket a lifecycle rule")
        return self
